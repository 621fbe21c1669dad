//! What stops the build: words that are missing, that nothing uses, or that have other placeholders than the English.

#[path = "../../build/words.rs"]
mod words;

use words::{Source, generate};

const EN: &str = r#"
[panel]
retry_in = "Again in {}."
[pages]
login = "Sign in"
[problem.internal]
title = "Something went wrong"
happened = "An error occurred."
to_do = "Try again."
"#;

const OPERATOR: &str = r#"
[internal]
when = "An error."
operator = "Report it."
"#;

const VIEW: &str =
    "// texts.in_a_comment\nlet label = (texts.login, fill(texts.retry_in), texts.iter(), other_texts.nothing);";

fn source(path: &str, text: &str) -> Source {
    Source { path: path.into(), text: text.into() }
}

/// What the build says about these files.
fn faults(en: &str, de: &str, operator: &str, view: &str) -> String {
    let locales = [("locales/de.toml", de), ("locales/en.toml", en), ("locales/operator.toml", operator)]
        .map(|(path, text)| source(path, text));
    generate(&locales, &[source("src/view/login.rs", view)]).map_or_else(|faults| faults.join("\n"), |_| String::new())
}

#[test]
fn files_that_fit_together_become_rust() {
    let locales = [source("locales/en.toml", EN), source("locales/operator.toml", OPERATOR)];
    let made = generate(&locales, &[source("src/view/login.rs", VIEW)]).unwrap();
    assert!(
        made.panel.contains("Lang::En => &Panel") && made.panel.contains("retry_in: \"Again in {}.\""),
        "{}",
        made.panel
    );
    // Only the panel's words travel to the browser.
    assert!(!made.panel.contains("Sign in") && !made.panel.contains("went wrong"), "{}", made.panel);
    assert!(made.pages.contains("login: \"Sign in\"") && made.pages.contains("An error occurred."), "{}", made.pages);
    assert!(made.operator.contains("Problem::Internal => &OperatorTexts"), "{}", made.operator);
}

#[test]
fn what_does_not_fit_is_named_with_its_file_and_key() {
    let de = EN.replace("Sign in", "Anmelden");
    assert_eq!(faults(EN, &de, OPERATOR, VIEW), "");
    let more = |text: &str, line: &str| format!("{text}{line}\n");
    for (en, de, operator, view, said) in [
        (EN, &*de.replace("login = ", "log_in = "), OPERATOR, VIEW, "locales/de.toml: `pages.login` is missing"),
        (EN, &de.replace("login = ", "log_in = "), OPERATOR, VIEW, "locales/de.toml: nothing uses `pages.log_in`"),
        (EN, &de.replace("in {}", "bald"), OPERATOR, VIEW, "locales/de.toml: `panel.retry_in` has no `{}`"),
        (EN, &de.replace("Anmelden", "{}"), OPERATOR, VIEW, "locales/en.toml: `pages.login` has no `{}`"),
        (&EN.replace("in {}", "in {} {}"), &de, OPERATOR, VIEW, "locales/en.toml: `panel.retry_in` has `{}` 2 times"),
        (EN, &de, OPERATOR, "texts.retry_in", "locales/en.toml: nothing uses `pages.login`"),
        (
            EN,
            &de,
            OPERATOR,
            "texts.login texts.retry_in texts.home",
            "locales/en.toml: `home` is missing in [pages] and in",
        ),
        (&EN.replace("to_do", "todo"), &de, OPERATOR, VIEW, "locales/en.toml: `problem.internal.to_do` is missing"),
        (&EN.replace("to_do", "todo"), &de, OPERATOR, VIEW, "locales/en.toml: nothing uses `problem.internal.todo`"),
        (&more(EN, "[other]\nkey = \"x\""), &de, OPERATOR, VIEW, "locales/en.toml: nothing uses `other.key`"),
        (EN, &de, &OPERATOR.replace("when", "why"), VIEW, "locales/operator.toml: `internal.when` is missing"),
        (EN, &de, &OPERATOR.replace("when", "why"), VIEW, "locales/operator.toml: nothing uses `internal.why`"),
        (EN, &de, &more(OPERATOR, "[gone]\nwhen = \"x\""), VIEW, "locales/operator.toml: nothing uses `gone.when`"),
        (
            EN,
            &de.replace("\"Anmelden\"", "7"),
            OPERATOR,
            VIEW,
            "locales/de.toml: `pages.login` must be a text of one line",
        ),
        (EN, &de.replace("[pages]", "[pages"), OPERATOR, VIEW, "locales/de.toml: TOML parse error"),
    ] {
        let found = faults(en, de, operator, view);
        assert!(found.contains(said), "{said}\nnot in:\n{found}");
    }
}
