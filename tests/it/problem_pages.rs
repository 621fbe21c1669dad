//! Every problem has a page of its own in every language. Writes them to `target/pages`, where a person can look at them.

use std::{fs, path::Path};

use vestibule::{
    server::problem::{Problem, WayOn},
    view::{self, Action, AssetUrls, Lang, ProblemPage, Shell, texts},
};

#[test]
fn every_problem_has_a_page_in_every_language() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pages");
    fs::create_dir_all(&folder).unwrap();
    for lang in Lang::ALL {
        let fallback = texts::explanation(*lang, "no_such_code");
        for problem in Problem::ALL {
            let code = problem.code();
            let words = texts::explanation(*lang, code);
            assert_eq!(words == fallback, *problem == Problem::Internal, "{code}");
            let html = view::problem(&Shell { lang: *lang, assets: &assets() }, &page(*problem));
            assert!(html.contains(&format!("<h1>{}</h1>", words.title)), "{html}");
            fs::write(folder.join(format!("problem-{code}-{}.html", lang.tag())), html).unwrap();
        }
    }
}

fn page(problem: Problem) -> ProblemPage {
    ProblemPage {
        code: problem.code(),
        reference: "7Q4M-X2KD".into(),
        kind: problem.kind(),
        who: problem.who(),
        action: Action { way_on: problem.way_on(), href: "/auth/login".into() },
        second: problem
            .is_for_the_operator_alone()
            .then(|| Action { way_on: WayOn::OtherProvider, href: "/auth/login".into() }),
        person: (problem == Problem::NotAdmitted).then(|| "Ada Lovelace".into()),
        retry_in: matches!(problem, Problem::ProviderBusy | Problem::TooManyFailures).then_some(45),
        refresh: problem.passes().then(|| "/auth/oidc/callback?state=abc".into()),
        script: false,
    }
}

fn assets() -> AssetUrls {
    AssetUrls {
        stylesheet: "/auth/assets/main.css".into(),
        favicon: "/auth/assets/favicon.svg".into(),
        again: "/auth/assets/again.js".into(),
        submit: "/auth/assets/submit.js".into(),
        boot: String::new(),
        script: String::new(),
        wasm: String::new(),
    }
}
