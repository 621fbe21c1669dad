//! The languages of the pages, and which of them a browser asks for.

/// Declares [`Lang`].
macro_rules! languages {
    ($($(#[$attribute:meta])* $lang:ident = $tag:literal,)*) => {
        /// A language of the pages. Its words are in `locales/`.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum Lang {
            $($(#[$attribute])* $lang,)*
        }

        impl Lang {
            /// Every language there is.
            pub const ALL: &[Self] = &[$(Self::$lang,)*];

            /// The language tag, as in `<html lang>` (RFC 5646).
            #[must_use]
            pub const fn tag(self) -> &'static str {
                match self {
                    $(Self::$lang => $tag,)*
                }
            }
        }
    };
}

// One line per file in `locales/`. The name of a file is the tag: a language, without a region.
languages! {
    #[doc = "English, also if the browser asks for none of these languages."] #[default] En = "en",
    #[doc = "German, in the formal address."] De = "de",
}

impl Lang {
    /// The language whose primary subtag is that of `tag`: `de-AT` is German.
    #[must_use]
    pub fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or(tag);
        Self::ALL.iter().copied().find(|lang| primary.eq_ignore_ascii_case(lang.tag()))
    }

    /// The language of ours that an `Accept-Language` header likes best (RFC 9110, 12.5.4); the first of equals.
    /// What cannot be read is passed over.
    #[must_use]
    pub fn from_accept_language(header: &str) -> Self {
        let mut best = (0, Self::default());
        // No browser lists more than a dozen; the rest of a longer list is not worth reading.
        for range in header.split(',').take(32) {
            let (tag, weight) = range.split_once(';').unwrap_or((range, "q=1"));
            if let (Some(lang), Some(weight)) = (Self::from_tag(tag.trim()), thousandths(weight))
                && weight > best.0
            {
                best = (weight, lang);
            }
        }
        best.1
    }
}

/// A weight `q=0.8` in thousandths (RFC 9110, 12.4.2).
fn thousandths(weight: &str) -> Option<u32> {
    let value = weight.trim().strip_prefix("q=").or_else(|| weight.trim().strip_prefix("Q="))?;
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let fraction: u32 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_liked_language_of_ours_wins() {
        for (header, lang) in [
            ("", Lang::En),
            ("de", Lang::De),
            ("de-AT,de;q=0.9,en;q=0.8", Lang::De),
            ("en-GB,en;q=0.9,de;q=0.8", Lang::En),
            ("fr, de;q=0.5, en;q=0.4", Lang::De),
            ("en;q=0.3, DE-de;q=0.31", Lang::De),
            ("de;q=0", Lang::En),
            ("*", Lang::En),
            ("fr", Lang::En),
            ("den, deu", Lang::En),
            ("de;q=2, de;q=0.1234, de;q=x, de;level=1", Lang::En),
            ("de ; q=0.7 , en;q=0.6", Lang::De),
            ("de, en", Lang::De),
            ("en, de", Lang::En),
        ] {
            assert_eq!(Lang::from_accept_language(header), lang, "{header:?}");
        }
    }

    #[test]
    fn a_tag_leads_back_to_its_language() {
        for lang in Lang::ALL {
            assert_eq!(Lang::from_tag(lang.tag()), Some(*lang));
        }
    }
}
