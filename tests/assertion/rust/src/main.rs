//! Gives the snippet of docs/assertion.md, which the test puts beside this file, a line at a time.

mod snippet;

use serde_json::json;

fn main() {
    for line in std::io::stdin().lines() {
        let said = match snippet::person(&line.expect("a line")) {
            Ok(person) => json!({ "sub": person.sub }),
            Err(error) => json!({ "refused": error.to_string() }),
        };
        println!("{said}");
    }
}
