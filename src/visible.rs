//! What is seen of a foreign text, and what is not (Unicode UAX #9, UAX #31, UTS #39, UTS #51). Names keep what their
//! script needs: marks, joiners, the parts of an emoji. What hides, reorders or shows nothing is dropped.

/// `text` on one line, without what is not seen. Empty if nothing is.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut seen = String::with_capacity(text.len());
    let mut before = None;
    let mut gap = false;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        if is_blank(c) {
            gap = true;
            continue;
        }
        let joined = |before: char| !gap && shapes(before, c, characters.peek().copied());
        if is_hidden(c) && !before.is_some_and(joined) {
            continue;
        }
        if gap && before.is_some() {
            seen.push(' ');
        }
        seen.push(c);
        (before, gap) = (Some(c), false);
    }
    seen
}

/// Whether `c` is drawn as an empty space.
#[must_use]
pub fn is_blank(c: char) -> bool {
    // Braille without a dot, blank hieroglyphs, a note without a head, a filler of the Khitan script.
    c.is_whitespace() || matches!(c, '\u{2800}' | '\u{13441}' | '\u{13442}' | '\u{1d159}' | '\u{16fe4}')
}

const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];
const BLACK_FLAG: char = '\u{1f3f4}';

/// Whether `c` shows nothing by itself: controls, marks of direction, what Unicode calls default-ignorable, and what it
/// says is no character.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || u32::from(c) & 0xfffe == 0xfffe
        || matches!(c, '\u{fdd0}'..='\u{fdef}')
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether the hidden `c` changes how the character before it is drawn: a joiner within a word that is not Latin or within
/// an emoji, the variant of a character, a region's flag. In ASCII it could only deceive.
fn shapes(before: char, c: char, after: Option<char>) -> bool {
    match c {
        // A key cap: 1️⃣
        '\u{fe0f}' if after == Some('\u{20e3}') => matches!(before, '0'..='9' | '#' | '*'),
        _ if before.is_ascii() => false,
        c if JOINERS.contains(&c) => {
            !JOINERS.contains(&before)
                && after.is_some_and(|after| !after.is_ascii() && !after.is_whitespace() && !is_hidden(after))
        }
        '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => !is_hidden(before),
        '\u{180b}'..='\u{180d}' | '\u{180f}' => matches!(before, '\u{1800}'..='\u{180a}' | '\u{1810}'..='\u{18af}'),
        '\u{e0020}'..='\u{e007f}' => before == BLACK_FLAG || matches!(before, '\u{e0020}'..='\u{e007f}'),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_what_its_script_needs() {
        for name in [
            "Ada Lovelace",
            "jose\u{301}",
            "हिन्दी",
            "क्\u{200d}ष",      // with a joiner
            "می\u{200c}خواهم", // Persian, with a non-joiner
            "กุ้ง",
            "👩\u{200d}💻",
            "1\u{fe0f}\u{20e3} Ada",
            "🏳\u{fe0f}\u{200d}🌈", // a variant, then a joiner
            "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}", // the flag of England
            "葛\u{e0100}城",       // a variant of a Han character
            "ᠮᠣᠩ\u{180b}",
            "O’Brien-Å",
        ] {
            assert_eq!(visible(name), name);
        }
    }

    #[test]
    fn what_is_not_seen_is_dropped() {
        for (text, seen) in [
            ("", ""),
            ("\u{3164}", ""),
            ("\u{200b}", ""),
            ("\u{200d}\u{200c}\u{fe0f}", ""),
            ("\u{2800} \u{a0}\u{3000}\u{13441}\u{1d159}\u{16fe4}", ""),
            ("\u{fffe}\u{ffff}\u{10ffff}\u{fdd0}", ""),
            ("\u{ad}\u{34f}\u{115f}\u{1160}\u{ffa0}\u{17b4}\u{feff}\u{2066}\u{e0041}", ""),
            ("a\u{200d}b", "ab"),
            ("a\u{fe0f}", "a"),
            ("👩\u{200d}", "👩"),
            ("👩\u{200d}\u{200d}💻", "👩\u{200d}💻"),
            ("  Ada\t\r\n\u{200b}\u{2800}Lovelace ", "Ada Lovelace"),
            ("Ad\u{202e}ecalevoL\u{0}\u{1b}[31m", "AdecalevoL[31m"),
        ] {
            assert_eq!(visible(text), seen, "{text:?}");
        }
    }
}
