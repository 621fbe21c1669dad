/// `template` with `value` in the place of `{}`, if it has one.
#[must_use]
pub fn fill(template: &str, value: &str) -> String {
    match template.split_once("{}") {
        Some((before, after)) => [before, value, after].concat(),
        None => template.to_owned(),
    }
}

/// What stands before and after the `{}` of `template`.
#[must_use]
pub fn around(template: &str) -> (&str, &str) {
    template.split_once("{}").unwrap_or((template, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_placeholder_is_filled() {
        assert_eq!(fill("in {}.", "8 seconds"), "in 8 seconds.");
        assert_eq!(fill("Start again.", "8 seconds"), "Start again.");
        assert_eq!(fill("{}", "a {} b"), "a {} b");
    }
}
