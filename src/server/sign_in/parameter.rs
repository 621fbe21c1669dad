//! How often a parameter appears in a query or form: RFC 6749 3.1 allows each once.

/// Every value of one parameter: all that matters is whether there is none, one or more.
#[derive(Default)]
pub(super) enum Values {
    #[default]
    None,
    One(String),
    Many,
}

impl Values {
    pub(super) fn add(&mut self, value: &str) {
        *self = match self {
            Self::None => Self::One(value.to_owned()),
            Self::One(_) | Self::Many => Self::Many,
        };
    }
}
