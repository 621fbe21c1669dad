//! `docs/errors.md` says what the error table says. `UPDATE_DOCS=1` writes it anew.

use std::{fmt::Write as _, fs, path::Path};

use vestibule::{
    server::problem::{Problem, WayOn, Who},
    view::Lang,
};

#[test]
fn the_documentation_says_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md");
    let expected = documentation();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "docs/errors.md is stale: UPDATE_DOCS=1 cargo test --features ssr --test error_docs");
}

fn documentation() -> String {
    let mut out = String::from(
        "# Error codes\n\n\
         <!-- Generated from src/server/sign_in/error.rs by tests/error_docs.rs; edit there. -->\n\n\
         Every problem page carries a stable code and a reference. The code names the kind of problem, and is listed \
         here with what the person reads, likely causes and the mend. The reference names the one case: it finds the \
         attempt's steps in the log and in the store; `curl http://127.0.0.1:3002/attempts/REFERENCE` (on `admin_listen`) \
         shows them. What fails before an attempt is claimed (a `state` that does not open, another browser) is in the log alone.\n\n\
         | code | status | log level | who can mend it | the one click |\n|---|---|---|---|---|\n",
    );
    for error in Problem::ALL {
        let (code, who, way_on) = (error.code(), who(error.who()), way_on(error.way_on()));
        let (status, level) = (error.status(), error.level().as_str().to_lowercase());
        writeln!(out, "| [`{code}`](#{code}) | {status} | {level} | {who} | {way_on} |").unwrap();
    }
    for error in Problem::ALL {
        let texts = error.texts(Lang::En);
        write!(
            out,
            "\n## `{}`\n\n{}\n\n> **{}**\n>\n> {}\n>\n> {}\n\n**For the operator.** {}\n",
            error.code(),
            error.when(),
            texts.title,
            texts.happened,
            texts.to_do,
            error.operator(),
        )
        .unwrap();
    }
    out
}

const fn who(who: Who) -> &'static str {
    match who {
        Who::You => "the person",
        Who::Operator => "the operator",
        Who::Provider => "the provider",
        Who::Nobody => "passes by itself",
    }
}

const fn way_on(way_on: WayOn) -> &'static str {
    match way_on {
        WayOn::BeginAgain => "begin again",
        WayOn::TryAgain => "try again, nothing is lost",
        WayOn::UseAnotherAccount => "use another account",
        WayOn::Login => "login page",
        WayOn::Home => "start page",
    }
}
