//! `Retry-After`: seconds or a date (RFC 9110 10.2.3).

use std::time::Duration;

use http::{HeaderMap, header};
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use crate::server::limits;

/// How long from `now` the provider asks us to wait; `None` if it does not say, or the value is implausible.
pub(super) fn read(headers: &HeaderMap, now: OffsetDateTime) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        // An HTTP date is one of RFC 2822 in GMT; one that is past means now.
        Err(_) => (OffsetDateTime::parse(text, &Rfc2822).ok()? - now).try_into().unwrap_or_default(),
    };
    (wait <= limits::RETRY_AFTER_MAX).then_some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn seconds_or_a_date() {
        let now = datetime!(1994-11-06 08:49:07 UTC);
        let wait = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, text.parse().unwrap());
            read(&headers, now).map(|wait| wait.as_secs())
        };
        assert_eq!(wait("60"), Some(60));
        assert_eq!(wait(" 0 "), Some(0));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some(30));
        assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        for nonsense in ["-1", "1.5", "soon", "", "3601", "99999999999999999999", "Sun, 06 Nov 2094 08:49:37 GMT"] {
            assert_eq!(wait(nonsense), None, "{nonsense}");
        }
        assert_eq!(read(&HeaderMap::new(), now), None);
    }
}
