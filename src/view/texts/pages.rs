use crate::{
    remedy::{Kind, WayOn, Who},
    view::lang::Lang,
};

/// What a page says about one problem.
#[derive(Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The problem in a few words.
    pub title: &'static str,
    /// What happened.
    pub happened: &'static str,
    /// What the person can do now. A `{}` stands for the time until the next try.
    pub to_do: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// The line above a problem's title, if it has one.
#[must_use]
pub fn kicker(lang: Lang, kind: Kind) -> Option<&'static str> {
    let texts = pages(lang);
    match kind {
        Kind::Failed => Some(texts.failed),
        Kind::Pause => Some(texts.pause),
        Kind::Request => None,
    }
}

/// A sentence that says who can fix a problem.
#[must_use]
pub fn who(lang: Lang, who: Who) -> &'static str {
    let texts = pages(lang);
    match who {
        Who::You => texts.who_you,
        Who::Operator => texts.who_operator,
        Who::Provider => texts.who_provider,
        Who::Nobody => texts.who_nobody,
    }
}

/// What the button of a problem page says.
#[must_use]
pub fn way_on(lang: Lang, way_on: WayOn) -> &'static str {
    let texts = pages(lang);
    match way_on {
        WayOn::StartAgain => texts.start_again,
        WayOn::TryAgain => texts.try_again,
        WayOn::UseAnotherAccount => texts.other_account,
        WayOn::OtherProvider => texts.other_provider,
        WayOn::Login | WayOn::SignInBeside => texts.login,
        WayOn::Home => texts.home,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_explanation_is_calm_and_whole() {
        for code in CODES {
            for lang in Lang::ALL {
                let Explanation { title, happened, to_do } = explanation(*lang, code);
                assert!(!title.ends_with('.'), "{title}");
                for sentence in [happened, to_do] {
                    assert!(sentence.ends_with('.'), "{sentence}");
                }
                let all = [*title, happened, to_do].concat();
                assert!(!all.contains('!') && !all.contains("  "), "{all}");
            }
            assert_ne!(explanation(Lang::En, code), explanation(Lang::De, code));
        }
    }

    #[test]
    fn a_code_that_nobody_knows_is_explained_as_an_error_of_ours() {
        assert_eq!(explanation(Lang::En, "no_such_code"), explanation(Lang::En, "internal"));
    }
}
