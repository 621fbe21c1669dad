//! What is logged, as the operator says in a variable.

use std::ffi::OsString;

use strsim::osa_distance;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

use crate::server::{
    limits,
    settings::{self, Fault},
};

/// Variables that hold the filter; the first that is set counts.
const FILTERS: [&str; 2] = [settings::LOG, "RUST_LOG"];
/// What is logged unless they say otherwise.
const DEFAULT_FILTER: &str = "info";

/// The filter that they hold.
///
/// # Errors
/// It cannot be read, or would silence the log by mistake.
pub(super) fn filter(variable: impl Fn(&str) -> Option<OsString>) -> Result<EnvFilter, Fault> {
    let fault = |name: &str, what: String| {
        let fix = "write off, error, warn, info, debug or trace, or one for each part, as vestibule=debug,warn";
        Fault::new(name, what, fix)
    };
    for name in FILTERS {
        let Some(text) = variable(name) else { continue };
        let Some(text) = text.to_str().map(str::trim) else {
            return Err(fault(name, "is not UTF-8".into()));
        };
        if text.is_empty() {
            continue;
        }
        if let Some(word) = text.split(',').find(|word| is_mistaken(word.trim())) {
            return Err(fault(
                name,
                format!("is {text:?}, in which {:?} is neither a level nor one for a part of the program", word.trim()),
            ));
        }
        return EnvFilter::try_new(text)
            .map_err(|error| fault(name, format!("is {text:?}, which is not a filter ({error})")));
    }
    Ok(EnvFilter::new(DEFAULT_FILTER))
}

/// Whether a word of a filter is neither a level nor one for a part, or the part is nearly called like us. The library
/// would take it as the name of a part that does not exist, and keep silent about everything else.
fn is_mistaken(word: &str) -> bool {
    let is_level = |text: &str| !text.is_empty() && text.parse::<LevelFilter>().is_ok();
    let Some((part, level)) = word.rsplit_once('=') else { return !word.is_empty() && !is_level(word) };
    let name = part.split(['[', ':']).next().unwrap_or(part);
    let nearly = (1..=limits::SETTINGS_PREFIX_EDITS).contains(&osa_distance(&name.to_lowercase(), "vestibule"));
    name.is_empty() || nearly || !is_level(level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_variable_goes_before_the_common_one() {
        let both = |name: &str| Some(if name == "VESTIBULE_LOG" { "warn" } else { "debug" }.into());
        assert_eq!(filter(both).unwrap().to_string(), "warn");
        assert_eq!(filter(|name| (name == "RUST_LOG").then(|| "debug".into())).unwrap().to_string(), "debug");
        assert_eq!(filter(|_| None).unwrap().to_string(), "info");
        assert_eq!(
            filter(|name| Some(if name == "RUST_LOG" { "warn" } else { " " }.into())).unwrap().to_string(),
            "warn"
        );
    }

    #[test]
    fn a_filter_that_would_silence_the_log_by_mistake_is_a_fault() {
        for text in [
            "a=b=c",
            "inf",
            "verbose",
            "warning",
            "vestibule",
            "vestibule=inf",
            "vestibule=debug,wran",
            "info;warn",
            "yes",
            "[x]=",
            "[x]=debug",
            "[x]",
            "=",
            "=debug",
            "vestibule=",
            "vestibule[start]",
            "vestibule[start]=",
            "info,vestibule",
            "error,vestibul=info",
            "error,Vestibules::server=info",
            "error,vestbule[start]=info",
        ] {
            let fault = filter(|_| Some(text.into())).expect_err(text);
            assert_eq!(fault.key, "VESTIBULE_LOG");
            assert!(fault.what.contains(&format!("is {text:?}")) && fault.fix.contains("warn, info"), "{fault}");
        }
        for text in [
            "INFO ",
            "Warn",
            "off",
            "3",
            "vestibule=debug,warn",
            "vestibule=debug, warn,",
            "vestibule[start]=trace",
            "mongodb::cmap=debug,info",
        ] {
            filter(|_| Some(text.into())).unwrap_or_else(|fault| panic!("{fault}"));
        }
    }

    #[test]
    fn a_filter_that_is_no_text_is_a_fault() {
        use std::os::unix::ffi::OsStringExt as _;

        let fault = filter(|_| Some(OsString::from_vec(vec![b'i', 0xff]))).unwrap_err();
        assert_eq!((fault.key.as_str(), fault.what.as_str()), ("VESTIBULE_LOG", "is not UTF-8"));
    }
}
