//! What operators read about each problem: `locales/operator.toml`. The file that the build makes of it does not compile
//! unless it has exactly the codes of [`Problem`].

use super::problem::Problem;

/// What the operator reads about one problem, in Markdown.
struct OperatorTexts {
    when: &'static str,
    operator: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/operator.rs"));

impl Problem {
    /// When it happens.
    #[must_use]
    pub const fn when(self) -> &'static str {
        operator_texts(self).when
    }

    /// Likely causes, and how to fix them.
    #[must_use]
    pub const fn operator(self) -> &'static str {
        operator_texts(self).operator
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_made_of_whole_sentences() {
        for problem in Problem::ALL {
            for text in [problem.when(), problem.operator()] {
                assert!(text.ends_with('.') && !text.contains('!') && !text.contains("  "), "{text}");
            }
        }
    }

    /// What the sign-in does not log or serve must not be promised.
    #[test]
    fn no_text_names_a_path_that_is_not_served() {
        for problem in Problem::ALL {
            assert!(!problem.operator().contains("/auth/verify"), "{}", problem.code());
        }
    }
}
