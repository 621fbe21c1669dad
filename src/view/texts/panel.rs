use super::template::fill;
use crate::view::lang::Lang;

include!(concat!(env!("OUT_DIR"), "/panel.rs"));

/// `seconds` in words: seconds up to a minute and a half, then whole minutes, rounded up.
#[must_use]
pub fn time(lang: Lang, seconds: u32) -> String {
    let texts = panel(lang);
    let (count, one, many) = if seconds <= 90 {
        (seconds, texts.second, texts.seconds)
    } else {
        (seconds.div_ceil(60), texts.minute, texts.minutes)
    };
    if count == 1 { one.to_owned() } else { fill(many, &count.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_as_people_say_them() {
        for (seconds, said) in
            [(0, "0 seconds"), (1, "1 second"), (90, "90 seconds"), (91, "2 minutes"), (3600, "60 minutes")]
        {
            assert_eq!(time(Lang::En, seconds), said);
        }
        assert_eq!(time(Lang::De, 1), "1 Sekunde");
        assert_eq!(time(Lang::De, 121), "3 Minuten");
    }
}
