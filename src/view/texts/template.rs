/// `template` with `value` in the place of `{}`.
#[must_use]
pub fn fill(template: &str, value: &str) -> String {
    let (before, after) = around(template);
    [before, value, after].concat()
}

/// What stands before and after the `{}` of `template`.
#[must_use]
pub fn around(template: &str) -> (&str, &str) {
    template.split_once("{}").unwrap_or((template, ""))
}
