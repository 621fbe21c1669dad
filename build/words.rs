//! Turns `locales/*.toml` into Rust, after checking that the files and the code fit together. Every fault is a sentence
//! that names the file and the key.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

/// The language that the others are compared with.
const REFERENCE: &str = "en";
/// The words of operators, in one language only.
const OPERATOR: &str = "operator";
/// What a page says about one problem.
const EXPLANATION: [&str; 3] = ["title", "happened", "to_do"];
/// What an operator reads about one problem.
const OPERATOR_TEXTS: [&str; 2] = ["when", "operator"];

/// A file: its path from the root of the repository, and its text.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// What is written for the program to include.
#[derive(Debug, Default)]
pub(crate) struct Generated {
    /// The words that travel to the browser.
    pub(crate) panel: String,
    /// All other words of the pages.
    pub(crate) pages: String,
    /// The words of operators.
    pub(crate) operator: String,
}

/// The texts of one file by their full key, such as `pages.login`.
struct Locale {
    path: String,
    name: String,
    texts: BTreeMap<String, String>,
}

/// Checks the files in `locales` against each other and against the sources of the pages, and makes Rust of them.
pub(crate) fn generate(locales: &[Source], views: &[Source]) -> Result<Generated, Vec<String>> {
    let mut faults = Vec::new();
    let mut languages: Vec<_> = locales.iter().map(|source| read(source, &mut faults)).collect();
    if !faults.is_empty() {
        return Err(faults);
    }
    let Some(operator) = take(&mut languages, OPERATOR) else { return Err(vec![absent(OPERATOR)]) };
    let Some(reference) = languages.iter().find(|locale| locale.name == REFERENCE) else {
        return Err(vec![absent(REFERENCE)]);
    };
    for other in languages.iter().filter(|locale| locale.name != REFERENCE) {
        compare(reference, other, &mut faults);
    }
    let codes = codes(reference);
    let wanted = keys("problem.", &codes, &EXPLANATION);
    check_keys(reference, "problem.", &wanted, "every problem has a title, `happened` and `to_do`", &mut faults);
    let wanted = keys("", &codes, &OPERATOR_TEXTS);
    check_keys(&operator, "", &wanted, "every problem in locales/en.toml has `when` and `operator`", &mut faults);
    check_use(reference, views, &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Generated {
        panel: table("Panel", "panel", &languages),
        pages: [table("Pages", "pages", &languages), explanations(&codes, &languages)].concat(),
        operator: operator_texts(&codes, &operator),
    })
}

fn absent(name: &str) -> String {
    format!("locales/{name}.toml is missing")
}

fn take(locales: &mut Vec<Locale>, name: &str) -> Option<Locale> {
    let at = locales.iter().position(|locale| locale.name == name)?;
    Some(locales.remove(at))
}

fn read(source: &Source, faults: &mut Vec<String>) -> Locale {
    let path = source.path.clone();
    let file = path.rsplit('/').next().unwrap_or(&path);
    let name = file.strip_suffix(".toml").unwrap_or(file).to_owned();
    let mut texts = BTreeMap::new();
    match source.text.parse::<toml::Table>() {
        Ok(table) => flatten("", &table, &path, &mut texts, faults),
        Err(error) => faults.push(format!("{path}: {error}")),
    }
    Locale { path, name, texts }
}

/// Collects the texts of `table` and of the tables in it.
fn flatten(
    prefix: &str,
    table: &toml::Table,
    path: &str,
    texts: &mut BTreeMap<String, String>,
    faults: &mut Vec<String>,
) {
    for (key, value) in table {
        let key = format!("{prefix}{key}");
        match value {
            toml::Value::Table(inner) => flatten(&format!("{key}."), inner, path, texts, faults),
            toml::Value::String(text) if !text.trim().is_empty() && !text.contains('\n') => {
                let many = text.matches("{}").count();
                if many > 1 {
                    faults.push(format!("{path}: `{key}` has `{{}}` {many} times, and only the first is filled in"));
                }
                texts.insert(key, text.clone());
            }
            _ => faults.push(format!("{path}: `{key}` must be a text of one line")),
        }
    }
}

/// Whether `other` has the keys and the placeholders of `reference`.
fn compare(reference: &Locale, other: &Locale, faults: &mut Vec<String>) {
    for (key, text) in &reference.texts {
        let Some(translation) = other.texts.get(key) else {
            faults.push(format!("{}: `{key}` is missing; {} has it", other.path, reference.path));
            continue;
        };
        if text.contains("{}") != translation.contains("{}") {
            let (has, lacks) =
                if text.contains("{}") { (&reference.path, &other.path) } else { (&other.path, &reference.path) };
            faults.push(format!("{lacks}: `{key}` has no `{{}}`, but in {has} it has one"));
        }
    }
    for key in other.texts.keys().filter(|key| !reference.texts.contains_key(*key)) {
        faults.push(format!("{}: nothing uses `{key}`; {} does not have it", other.path, reference.path));
    }
}

/// The problem codes that `locale` explains.
fn codes(locale: &Locale) -> BTreeSet<String> {
    let keys = locale.texts.keys().filter_map(|key| key.strip_prefix("problem."));
    keys.filter_map(|key| key.split('.').next()).map(str::to_owned).collect()
}

fn keys(prefix: &str, codes: &BTreeSet<String>, fields: &[&str]) -> BTreeSet<String> {
    codes.iter().flat_map(|code| fields.iter().map(move |field| format!("{prefix}{code}.{field}"))).collect()
}

/// Whether the keys of `locale` that begin with `prefix` are exactly those `wanted`, which is so because of `rule`.
fn check_keys(locale: &Locale, prefix: &str, wanted: &BTreeSet<String>, rule: &str, faults: &mut Vec<String>) {
    for key in wanted.iter().filter(|key| !locale.texts.contains_key(*key)) {
        faults.push(format!("{}: `{key}` is missing; {rule}", locale.path));
    }
    for key in locale.texts.keys().filter(|key| key.starts_with(prefix) && !wanted.contains(*key)) {
        faults.push(format!("{}: nothing uses `{key}`; {rule}", locale.path));
    }
}

/// Whether the pages use every key of `[panel]` and `[pages]`, and no other. They say `texts.KEY`.
fn check_use(locale: &Locale, views: &[Source], faults: &mut Vec<String>) {
    let known = |key: &str| ["panel", "pages"].iter().any(|table| locale.texts.contains_key(&format!("{table}.{key}")));
    let mut used = BTreeSet::new();
    for view in views {
        for key in uses(&view.text) {
            if !known(key) {
                faults.push(format!(
                    "{}: `{key}` is missing in [pages] and in [panel]; {} uses it",
                    locale.path, view.path
                ));
            }
            used.insert(key);
        }
    }
    for key in locale.texts.keys().filter(|key| !key.starts_with("problem.")) {
        let name = key.strip_prefix("panel.").or_else(|| key.strip_prefix("pages."));
        if !name.is_some_and(|name| used.contains(name)) {
            faults.push(format!(
                "{}: nothing uses `{key}`; no page in src/view says `texts.{}`",
                locale.path,
                name.unwrap_or(key)
            ));
        }
    }
}

/// The keys that `source` uses: each name after `texts.` outside of comments, calls of methods excepted.
fn uses(source: &str) -> impl Iterator<Item = &str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(move |line| {
        line.match_indices("texts.").filter_map(move |(at, found)| {
            let rest = &line[at + found.len()..];
            let name = &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())];
            let is_key = !line[..at].ends_with(is_name) && !name.is_empty() && !rest[name.len()..].starts_with('(');
            is_key.then_some(name)
        })
    })
}

/// A struct with a field for each key of `[name]`, and a function that returns it in a language.
fn table(kind: &str, name: &str, languages: &[Locale]) -> String {
    let prefix = format!("{name}.");
    let fields = |locale: &'_ Locale| -> Vec<(String, String)> {
        let texts = locale.texts.iter();
        texts.filter_map(|(key, text)| Some((key.strip_prefix(&prefix)?.to_owned(), text.clone()))).collect()
    };
    let mut out = format!("/// The texts of `[{name}]`.\n#[derive(Debug)]\npub struct {kind} {{\n");
    for (key, text) in languages.iter().find(|locale| locale.name == REFERENCE).map(fields).unwrap_or_default() {
        let _ = writeln!(out, "    #[doc = {text:?}]\n    pub {key}: &'static str,");
    }
    let _ = write!(out, "}}\n\n/// The texts of `[{name}]` in `lang`.\n#[must_use]\n");
    let _ = writeln!(out, "pub const fn {name}(lang: Lang) -> &'static {kind} {{\n    match lang {{");
    for locale in languages {
        let _ = writeln!(out, "        Lang::{} => &{kind} {{", camel_case(&locale.name));
        for (key, text) in fields(locale) {
            let _ = writeln!(out, "            {key}: {text:?},");
        }
        out.push_str("        },\n");
    }
    out.push_str("    }\n}\n\n");
    out
}

/// The list of codes, and a function that returns the explanation of one in a language.
fn explanations(codes: &BTreeSet<String>, languages: &[Locale]) -> String {
    let list: Vec<_> = codes.iter().collect();
    let mut out = format!("/// The code of every problem.\npub const CODES: &[&str] = &{list:?};\n\n");
    out.push_str("/// What a page says about the problem `code` in `lang`.\n#[must_use]\n");
    out.push_str("pub fn explanation(lang: Lang, code: &str) -> &'static Explanation {\n    match (lang, code) {\n");
    for locale in languages {
        let lang = camel_case(&locale.name);
        // A code that is not in the table cannot come from here: it is explained as an error of the program itself.
        for code in codes.iter().filter(|code| *code != "internal").chain([&"internal".to_owned()]) {
            let pattern = if code == "internal" { "_".to_owned() } else { format!("{code:?}") };
            let _ = writeln!(out, "        (Lang::{lang}, {pattern}) => &Explanation {{");
            for field in EXPLANATION {
                let text = locale.texts.get(&format!("problem.{code}.{field}"));
                let _ = writeln!(out, "            {field}: {:?},", text.map_or("", String::as_str));
            }
            out.push_str("        },\n");
        }
    }
    out.push_str("    }\n}\n");
    out
}

/// A function that returns the words of operators about a problem. It does not compile unless the codes are those of
/// `Problem`.
fn operator_texts(codes: &BTreeSet<String>, operator: &Locale) -> String {
    let mut out =
        String::from("const fn operator_texts(problem: Problem) -> &'static OperatorTexts {\n    match problem {\n");
    for code in codes {
        let _ = writeln!(out, "        Problem::{} => &OperatorTexts {{", camel_case(code));
        for field in OPERATOR_TEXTS {
            let text = operator.texts.get(&format!("{code}.{field}"));
            let _ = writeln!(out, "            {field}: {:?},", text.map_or("", String::as_str));
        }
        out.push_str("        },\n");
    }
    out.push_str("    }\n}\n");
    for code in codes {
        let _ = writeln!(
            out,
            "const _: () = assert!(matches!(Problem::{}.code().as_bytes(), b{code:?}), {:?});",
            camel_case(code),
            format!("locales/operator.toml: `{code}` is not the code of its problem in src/server/problem.rs"),
        );
    }
    out
}

/// `other_browser` as `OtherBrowser`, `pt-BR` as `PtBR`.
fn camel_case(name: &str) -> String {
    let words = name.split(['_', '-']);
    words.flat_map(|word| word.chars().take(1).map(|c| c.to_ascii_uppercase()).chain(word.chars().skip(1))).collect()
}
