//! All the ways in which the path of a request can be read. Proxies, frameworks and applications decode, resolve, strip and
//! join in different orders, some of them not at all, so nobody knows which path the application will serve: the rules look
//! at each (`docs/decisions/gate.md`).

use std::{borrow::Cow, collections::HashSet, fmt, iter};

use crate::server::limits;

/// The readings of one path: at least one. Most paths can be read in one way alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readings<'a> {
    first: Cow<'a, str>,
    more: Vec<String>,
}

/// Why nobody can say what a path means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// A control character, encoded or not.
    Control,
    /// No UTF-8 once it is decoded.
    Encoding,
    /// `%` without two hexadecimal digits.
    Escape,
    /// Still encoded once it is decoded: `%252f`.
    Twice,
    /// More readings than are looked at.
    TooMany,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Control => "it contains a control character",
            Self::Encoding => "it is not UTF-8 once it is decoded",
            Self::Escape => "it contains a `%` without two hexadecimal digits",
            Self::Twice => "it would have to be decoded twice",
            Self::TooMany => "it can be read in too many ways",
        })
    }
}

impl<'a> Readings<'a> {
    /// The readings of the path of `uri`, which begins with a slash. The query takes no part.
    ///
    /// # Errors
    /// The path cannot be read, or only by decoding it twice.
    pub fn of(uri: &'a str) -> Result<Self, Unreadable> {
        let written = uri.split('?').next().unwrap_or_default();
        if is_plain(written) {
            return Ok(Self { first: Cow::Borrowed(written), more: Vec::new() });
        }
        let mut all = vec![legible(written)?];
        let mut seen: HashSet<_> = all.iter().cloned().collect();
        let mut bytes = written.len();
        let mut next = 0;
        while let Some(reading) = all.get(next) {
            let others: Vec<_> = STEPS.iter().filter_map(|read| read(reading)).collect();
            for other in others {
                if seen.contains(&other) {
                    continue;
                }
                bytes += other.len().max(limits::READING_BYTES_LEAST);
                if bytes > limits::READINGS_BYTES {
                    return Err(Unreadable::TooMany);
                }
                seen.insert(other.clone());
                all.push(other);
            }
            next += 1;
        }
        let first = Cow::Owned(all.remove(0));
        Ok(Self { first, more: all })
    }

    /// Each of them, the one nearest to what was written first.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        iter::once(&*self.first).chain(self.more.iter().map(String::as_str))
    }
}

/// Whether everybody reads `path` as it is written.
fn is_plain(path: &str) -> bool {
    let path = path.as_bytes();
    path.iter().all(|byte| matches!(byte, b'!'..=b'~') && !matches!(byte, b'%' | b'\\' | b';' | b'#'))
        && !path.windows(2).any(|two| two == b"//")
        && !path.split(|byte| *byte == b'/').any(|segment| matches!(segment, b"." | b".."))
}

/// `path` with those escapes decoded that have to be there, since a URL cannot hold what they stand for: to everybody these
/// are the same as their characters.
fn legible(path: &str) -> Result<String, Unreadable> {
    let (mut legible, mut decoded) = (Vec::with_capacity(path.len()), Vec::with_capacity(path.len()));
    let mut rest = path.as_bytes();
    while let [first, after @ ..] = rest {
        let (meant, length) = match (first, escape(rest)) {
            (b'%', None) => return Err(Unreadable::Escape),
            (_, Some(byte)) => (byte, 3),
            (byte, None) => (*byte, 1),
        };
        let (written, after) = rest.split_at_checked(length).unwrap_or((&[], after));
        decoded.push(meant);
        legible.extend_from_slice(if has_to_be_encoded(meant) { std::slice::from_ref(&meant) } else { written });
        rest = after;
    }
    let utf8 = |bytes| String::from_utf8(bytes).map_err(|_| Unreadable::Encoding);
    let decoded = utf8(decoded)?;
    if decoded.chars().any(char::is_control) {
        return Err(Unreadable::Control);
    }
    if decoded.match_indices('%').any(|(at, _)| decoded.as_bytes().get(at..).and_then(escape).is_some()) {
        return Err(Unreadable::Twice);
    }
    utf8(legible)
}

/// The byte that an escape at the beginning of `text` stands for.
fn escape(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

/// What RFC 3986 allows nowhere in a URL, except for the backslash, which some write there.
const fn has_to_be_encoded(byte: u8) -> bool {
    matches!(byte, b' ' | b'"' | b'%' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}' | 0x80..)
}

/// What somebody on the way may do to a path, each once or not at all, and in any order. `None`: there is nothing to do.
const STEPS: [fn(&str) -> Option<String>; 10] = [
    |path| decode(path, |byte| byte == b'.'),
    |path| decode(path, is_separator),
    |path| decode(path, is_delimiter),
    |path| decode(path, |byte| byte != b'.' && !is_separator(byte) && !is_delimiter(byte)),
    |path| path.contains('\\').then(|| path.replace('\\', "/")),
    resolve,
    collapse,
    |path| path.contains(';').then(|| strip_parameters(path)),
    |path| cut(path, '?'),
    |path| cut(path, '#'),
];

const fn is_separator(byte: u8) -> bool {
    matches!(byte, b'/' | b'\\')
}

const fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b';' | b'?' | b'#')
}

/// Decodes the escapes of some characters. All that are left are of ASCII.
fn decode(path: &str, of: fn(u8) -> bool) -> Option<String> {
    let mut decoded = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        let (before, escaped) = rest.split_at(at);
        decoded.push_str(before);
        let meant = escape(escaped.as_bytes()).filter(|byte| of(*byte));
        decoded.push(meant.map_or('%', char::from));
        rest = escaped.get(if meant.is_some() { 3 } else { 1 }..).unwrap_or_default();
    }
    decoded.push_str(rest);
    (decoded.len() < path.len()).then_some(decoded)
}

/// Without dot segments (RFC 3986, 5.2.4).
fn resolve(path: &str) -> Option<String> {
    let is_dots = |segment: &str| matches!(segment, "." | "..");
    if !path.split('/').any(is_dots) {
        return None;
    }
    let mut kept = Vec::new();
    for segment in path.split('/').skip(1) {
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            other => kept.push(other),
        }
    }
    if path.rsplit('/').next().is_some_and(is_dots) {
        kept.push("");
    }
    Some(format!("/{}", kept.join("/")))
}

/// Slashes in a row as one.
fn collapse(path: &str) -> Option<String> {
    if !path.contains("//") {
        return None;
    }
    let mut collapsed = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '/' || !collapsed.ends_with('/') {
            collapsed.push(character);
        }
    }
    Some(collapsed)
}

/// Each segment without its parameters.
fn strip_parameters(path: &str) -> String {
    let names: Vec<_> = path.split('/').map(|segment| segment.split(';').next().unwrap_or_default()).collect();
    names.join("/")
}

/// What stands before the first `mark`.
fn cut(path: &str, mark: char) -> Option<String> {
    path.split_once(mark).map(|(before, _)| before.to_owned())
}
