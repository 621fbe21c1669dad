//! `[[app]]`: the applications behind the proxy.

use secrecy::SecretString;

use super::{
    origin,
    provider::ProviderSettings,
    reader::Reader,
    rule,
    schema::{self, At, Index, Key, Table},
};
use crate::server::{
    application::{Application, Field, IdentityRules, OriginPattern, Preset},
    limits,
    public_url::PublicUrl,
};

/// Names of headers that are the protocol's or a proxy's: to send them would change the response, or how the request is
/// handled behind.
const RESERVED: [&str; 38] = [
    "age",
    "allow",
    "alt-svc",
    "authorization",
    "cache-control",
    "connection",
    "cookie",
    "cookie2",
    "date",
    "etag",
    "expect",
    "expires",
    "forwarded",
    "host",
    "keep-alive",
    "last-modified",
    "link",
    "location",
    "max-forwards",
    "origin",
    "pragma",
    "range",
    "referer",
    "refresh",
    "retry-after",
    "server",
    "set-cookie",
    "set-cookie2",
    "strict-transport-security",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
    "www-authenticate",
    "x-real-ip",
];
/// What such names begin with.
const RESERVED_BEGINNINGS: [&str; 13] = [
    "accept",
    "access-control-",
    "content-",
    "if-",
    "proxy-",
    "sec-",
    "x-accel-",
    "x-forwarded-",
    "x-http-method",
    "x-method-override",
    "x-original-",
    "x-rewrite-",
    "x-vestibule-",
];

/// The other settings that decide what an application may be; nothing where one is wrong itself.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) public_url: Option<&'a PublicUrl>,
    pub(super) providers: Option<&'a [ProviderSettings]>,
}

/// Reads every `[[app]]`. Without any there is one, at `public_url`.
pub(super) fn read_all(reader: &mut Reader<'_>, around: Around<'_>) -> Vec<Application> {
    let before = reader.count();
    let indices = reader.tables(Table::App, Index::default());
    if indices.is_empty() && reader.count() == before {
        return around.public_url.map(at_public_url).into_iter().collect();
    }
    let (mut applications, mut origins) = (Vec::new(), Vec::new());
    for index in indices {
        let own = origin::read(reader, At { key: &schema::APP_URL, index }, around.public_url);
        let patterns = own.iter().map(|one| one.origin.clone()).collect();
        applications.push(read(reader, index, patterns, around));
        origins.extend(own);
    }
    origin::check_hosts(reader, &origins, around.public_url);
    applications
}

/// The one application that there is without `[[app]]`.
pub(super) fn at_public_url(public_url: &PublicUrl) -> Application {
    let around = Around { public_url: Some(public_url), providers: None };
    let origins = vec![origin::of_public_url(public_url)];
    Reader::defaults(|reader| read(reader, Index::default(), origins, around))
}

fn read(reader: &mut Reader<'_>, index: Index, origins: Vec<OriginPattern>, around: Around<'_>) -> Application {
    let at = |key: &'static Key| At { key, index };
    let access = reader.choice(at(&schema::APP_ACCESS)).unwrap_or_default();
    let presets = presets(reader, index);
    let headers = headers(reader, at(&schema::APP_HEADERS), presets.as_deref().unwrap_or_default());
    let groups_sent = reader.is_given(at(&schema::APP_GROUPS_SENT)).then(|| reader.texts(at(&schema::APP_GROUPS_SENT)));
    let prefix = prefix(reader, at(&schema::APP_PREFIX), &origins, around.public_url).unwrap_or_default();
    let token = reader.boolean(at(&schema::APP_TOKEN)).unwrap_or_default();
    if let (true, Some(presets)) = (token, &presets)
        && !presets.iter().any(|one| matches!(one, Preset::Assertion | Preset::ClaudeLens(_)))
    {
        let what = "is true, but identity has neither assertion nor claudelens to make a token of";
        reader.fault(&at(&schema::APP_TOKEN), what, "add one of them to identity, or remove token");
    }
    Application {
        origins,
        access: rule::access(&access),
        rules: rule::read_all(reader, index, around.providers),
        identity: IdentityRules { presets: presets.unwrap_or_default(), headers, groups_sent },
        preflight: reader.boolean(at(&schema::APP_PREFLIGHT)).unwrap_or_default(),
        prefix,
        token,
    }
}

/// What `identity` says; nothing (with a fault) if that is not clear.
fn presets(reader: &mut Reader<'_>, index: Index) -> Option<Vec<Preset>> {
    let (identity, secret) =
        (At { key: &schema::APP_IDENTITY, index }, At { key: &schema::APP_CLAUDELENS_SECRET_KEY, index });
    let before = reader.count();
    let names = reader.choices(identity);
    let key = if reader.is_given(secret) { reader.text(secret).map(SecretString::from) } else { None };
    if reader.count() != before {
        return None;
    }
    let wanted = names.iter().any(|name| name == "claudelens");
    match (wanted, &key) {
        (true, None) => {
            let fix = "add claudelens_secret_key_file, a file with ClaudeLens' own SECRET_KEY";
            reader.fault(&secret, "is missing, and identity has claudelens", fix);
        }
        (false, Some(_)) => {
            reader.fault(&secret, "is given, but identity has no claudelens", "add it there, or remove the key");
        }
        _ => {}
    }
    let preset = |name: &String| match name.as_str() {
        "remote" => Some(Preset::Remote),
        "x-auth-request" => Some(Preset::XAuthRequest),
        "claudelens" => key.clone().map(Preset::ClaudeLens),
        _ => Some(Preset::Assertion),
    };
    names.iter().map(preset).collect()
}

/// More headers than those of the presets.
fn headers(reader: &mut Reader<'_>, at: At, presets: &[Preset]) -> Vec<(String, Field)> {
    let mut headers: Vec<(String, Field)> = Vec::new();
    let given = reader.map(at);
    if given.len() > limits::IDENTITY_HEADERS {
        let what = format!("has {} headers", given.len());
        reader.fault(&at, what, format!("name {} at most", limits::IDENTITY_HEADERS));
    }
    for (place, name, field) in given {
        let name = name.to_ascii_lowercase();
        if let Some((what, fix)) = wrong_name(&name, presets, &headers) {
            reader.fault(&place, what, fix);
        }
        match field_of(&field) {
            Some(field) => headers.push((name, field)),
            None => {
                let what = format!("is {field:?}, which is not known");
                reader.fault(&place, what, format!("write one of: {}", FIELDS.map(|(word, _)| word).join(", ")));
            }
        }
    }
    headers
}

/// What is wrong with a header's name, in small letters, and how to fix it.
fn wrong_name(name: &str, presets: &[Preset], others: &[(String, Field)]) -> Option<(String, String)> {
    let is_token =
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^`|~".contains(&b));
    let preset = presets.iter().flat_map(Preset::headers).any(|other| other.eq_ignore_ascii_case(name));
    let wrong = |what: &str, fix: &str| Some((what.to_owned(), fix.to_owned()));
    if name.contains('_') {
        wrong("has a _ in its name, and most proxies drop such headers", "write - in its place")
    } else if !is_token {
        wrong("is no name of a header", "use letters, digits and -, as X-WEBAUTH-USER")
    } else if name.len() > limits::IDENTITY_HEADER_NAME {
        Some(("has a long name".into(), format!("use {} characters at most", limits::IDENTITY_HEADER_NAME)))
    } else if RESERVED.contains(&name) || RESERVED_BEGINNINGS.iter().any(|one| name.starts_with(one)) {
        wrong("is a header that means something else already", "choose another name, as X-WEBAUTH-USER")
    } else if preset {
        wrong("is a header that identity sends already", "choose another name, or remove it")
    } else if others.iter().any(|(other, _)| other == name) {
        wrong("is there a second time, in other letters", "keep one of them")
    } else {
        None
    }
}

const FIELDS: [(&str, Field); 7] = [
    ("username", Field::Username),
    ("name", Field::Name),
    ("email", Field::Email),
    ("groups", Field::Groups),
    ("role", Field::Role),
    ("subject", Field::Subject),
    ("issuer", Field::Issuer),
];

fn field_of(word: &str) -> Option<Field> {
    FIELDS.into_iter().find(|(known, _)| *known == word).map(|(_, field)| field)
}

/// The path below which ours are. On the login host that is settled.
fn prefix(
    reader: &mut Reader<'_>,
    at: At,
    origins: &[OriginPattern],
    public_url: Option<&PublicUrl>,
) -> Option<String> {
    let text = reader.text(at)?;
    let is_plain = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
    };
    if !text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_plain)) {
        let what = format!("is {text:?}, which is not a path of plain words");
        reader.fault(&at, what, "write it as \"/auth\" or \"/.vestibule\", without a slash at its end");
        return None;
    }
    let login = public_url.map(origin::of_public_url);
    if text != "/auth" && login.is_some_and(|login| origins.contains(&login)) {
        let what = format!("is {text:?}, but at public_url itself our paths are below /auth");
        reader.fault(&at, what, "remove it");
    }
    Some(text)
}
