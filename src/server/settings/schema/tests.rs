use std::fmt::Write as _;

use super::*;

#[test]
fn durations_are_written_as_they_are_read() {
    for text in ["1.5s", "1.8s", "1ms", "60s", "7d", "400d", "10m", "12h"] {
        let duration = humantime::parse_duration(text).unwrap();
        assert_eq!(humantime::parse_duration(&written(duration)).unwrap(), duration, "{text}");
    }
    assert_eq!(written(Duration::from_millis(1800)), "1.8s");
}

fn takes(key: &Key) -> String {
    match key.kind {
        Kind::Text => "text".into(),
        Kind::Url => "URL".into(),
        Kind::Address => "address and port".into(),
        Kind::File => "path of a file".into(),
        Kind::Files => "path of a file, or list of paths".into(),
        Kind::Boolean => "`true` or `false`".into(),
        Kind::Duration { least, most } => format!("duration, {} to {}", written(least), written(most)),
        Kind::Choice(all) => all.iter().map(|one| format!("`\"{one}\"`")).collect::<Vec<_>>().join(", "),
        Kind::Choices(all) => {
            format!("list of {}", all.iter().map(|one| format!("`\"{one}\"`")).collect::<Vec<_>>().join(", "))
        }
        Kind::List => "list of texts".into(),
        Kind::Urls => "URL, or list of URLs".into(),
        Kind::Map => "table of texts".into(),
        Kind::Connection => "URL (secret)".into(),
        Kind::Secret => "secret".into(),
        Kind::Secrets => "list of secrets".into(),
    }
}

/// The tables of keys in docs/configuration.md.
fn documentation() -> String {
    let mut page = String::new();
    for table in Table::ALL {
        let heading = match table {
            Table::Root => "### Above the first table".to_owned(),
            Table::Provider => format!("### `{}`, one or more", table.heading()),
            table if table.repeats() => format!("### `{}`, any number", table.heading()),
            table => format!("### `{}`", table.heading()),
        };
        writeln!(page, "{heading}\n\n| key | takes | default | example | meaning |\n|---|---|---|---|---|").unwrap();
        for key in table.keys() {
            let default = match key.unset {
                Unset::Fault => "– (required)".to_owned(),
                Unset::Otherwise(words) => words.to_owned(),
                Unset::Default(value) => format!("`{value}`"),
            };
            writeln!(page, "| `{}` | {} | {default} | `{}` | {} |", key.name, takes(key), key.example, key.help)
                .unwrap();
        }
        page.push('\n');
    }
    page
}

#[test]
fn the_documentation_lists_these_keys() {
    const BEGIN: &str = "<!-- keys: written by `UPDATE_DOCS=1 cargo test` from src/server/settings/schema.rs -->\n\n";
    const END: &str = "<!-- end of keys -->";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (head, rest) = page.split_once(BEGIN).unwrap();
    let (keys, tail) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, format!("{head}{BEGIN}{}{END}{tail}", documentation())).unwrap();
    } else {
        assert!(keys == documentation(), "docs/configuration.md is out of date: run with UPDATE_DOCS=1");
    }
}
