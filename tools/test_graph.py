"""Tests of the module graph and of the limits on sizes."""

import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parent))
import graph
import sizes
from graph import Arrow, Crate, cycles, dot, drawn, faults, layer_of, tree
from rust_source import functions, without_literals, without_tests


def arrows(**sources):
    """The arrows between files, whose names are given with `_` for `/`."""
    crate = Crate({name.replace("_", "/") + ".rs": text for name, text in sources.items()})
    return {(arrow.source.removesuffix(".rs"), arrow.target.removesuffix(".rs")) for arrow in crate.arrows()}


class Source(unittest.TestCase):
    def test_comments_and_literals_go_and_lines_stay(self):
        text = 'a /* { /* nested */ } */ b // {\nc "{ \\" {" r#"{"{"# b\'{\' \'{\' \'\\u{7b}\' d<\'x>(e: &\'x f)\n'
        code = without_literals(text)
        self.assertNotIn("{", code)
        self.assertEqual(code.split(), ["a", "b", "c", "d<'x>(e:", "&'x", "f)"])
        self.assertEqual(code.count("\n"), text.count("\n"))
        self.assertEqual(len(code), len(text))

    def test_tests_go(self):
        text = """
            use a::b;
            #[cfg(test)]
            #[path = "x"]
            use c::{d, e};
            #[cfg(all(test, feature = "x"))]
            mod tests;
            #[cfg(test)]
            mod more { fn f() { } }
            #[cfg(not(test))]
            fn stays() {}
        """
        code, files = without_tests(without_literals(text))
        self.assertEqual(files, ["tests"])
        self.assertEqual(code.split(), ["use", "a::b;", "#[cfg(not(test))]", "fn", "stays()", "{}"])

    def test_functions_are_measured(self):
        code = "trait T { fn without(&self); }\n\nfn one() -> [u8; 2] {\n  fn inner() {}\n  [1, 2]\n}\n"
        self.assertEqual([(f.name, f.line, f.lines) for f in functions(code)], [("one", 3, 4), ("inner", 4, 1)])


class Imports(unittest.TestCase):
    def test_use_trees(self):
        found = tree("crate::{a::{self, B as C, D,}, e::*, f}", 1)
        self.assertEqual(
            [("::".join(known.path), known.name) for known in found],
            [("crate::a", "a"), ("crate::a::B", "C"), ("crate::a::D", "D"), ("crate::e", "*"), ("crate::f", "f")],
        )

    def test_a_name_leads_to_the_file_that_defines_it(self):
        found = arrows(
            lib="pub mod a; pub mod b;",
            a="pub mod x; pub use self::x::Thing; pub use crate::b::*;",
            a_x="pub struct Thing;",
            b="pub mod y; pub use y::Other;",
            b_y="pub struct Other; use crate::a::{self, Thing}; type T = a::Thing;",
            c="use crate::a::{Other, Thing};",
        )
        self.assertEqual(
            found,
            {("a", "a/x"), ("a", "b"), ("b", "b/y"), ("b/y", "a/x"), ("c", "b/y"), ("c", "a/x")},
        )

    def test_a_module_as_such_leads_nowhere_and_what_is_used_of_it_does(self):
        sources = {"a": "pub mod x; pub fn own() {}", "a_x": "pub fn f() {}", "b": "use crate::a;"}
        self.assertEqual(arrows(**sources), set())
        sources["b"] = "use crate::a; fn g() { a::x::f(); }"
        self.assertEqual(arrows(**sources), {("b", "a/x")})
        sources["b"] = "use crate::a; fn g() { a::own(); }"
        self.assertEqual(arrows(**sources), {("b", "a")})

    def test_paths_without_use(self):
        found = arrows(
            a="mod x; fn f() { x::g(); std::mem::drop(1); Vec::<u8>::new(); Self::h(); }",
            a_x="pub fn g() { super::super::b::h(); ::b::h(); let s = \"crate::c::d\"; }",
            b="pub fn h() {}",
            c="pub fn d() {}",
        )
        self.assertEqual(found, {("a", "a/x"), ("a/x", "b")})

    def test_a_module_inside_a_file_belongs_to_the_file(self):
        found = arrows(a="mod inner { use super::own; use super::super::b::h; } fn own() {}", b="pub fn h() {}")
        self.assertEqual(found, {("a", "b")})

    def test_an_item_may_have_the_name_of_its_module(self):
        found = arrows(a="mod page; pub use page::page;", a_page="pub fn page() {}", b="use crate::a::page;")
        self.assertEqual(found, {("a", "a/page"), ("b", "a/page")})

    def test_globs(self):
        self.assertEqual(arrows(a="use leptos::prelude::*; use crate::b::*;", b="", lib=""), {("a", "b")})
        self.assertEqual(arrows(a="use crate::b::Kind::*;", b="pub enum Kind {}"), {("a", "b")})

    def test_test_files_are_no_part_of_it(self):
        self.assertEqual(arrows(a="#[cfg(test)] mod tests;", a_tests="use crate::b::h;", b="pub fn h() {}"), set())

    def test_the_program_knows_the_library_by_its_name(self):
        crate = Crate({"main.rs": "use thing::b::h;", "b.rs": "pub fn h() {}"}, "thing")
        self.assertEqual(set(crate.arrows()), {Arrow("main.rs", "b.rs")})


class Faults(unittest.TestCase):
    def test_cycles(self):
        ways = cycles(Arrow(*pair) for pair in ["ab", "bc", "ca", "cd", "dc", "de"])
        self.assertEqual(ways, [["c", "d", "c"], ["a", "b", "c", "a"]])
        self.assertEqual(cycles([Arrow("a", "b"), Arrow("a", "c"), Arrow("b", "c")]), [])

    def test_a_parent_and_its_child(self):
        crate = Crate({"a.rs": "mod x;\nuse self::x::f;\npub struct T;", "a/x.rs": "use super::T;\npub fn f() {}"})
        self.assertEqual(faults(crate, []), ["cycle: a.rs:2 -> a/x.rs, a/x.rs:1 -> a.rs"])

    def test_layers(self):
        layers = ["main lib.rs", "server/high", "server/high/low server", "view"]
        self.assertEqual(layer_of("server/high/other.rs", layers), 1)
        self.assertEqual(layer_of("server/high/low.rs", layers), 2)
        self.assertEqual(layer_of("server/highest.rs", layers), 2)
        self.assertEqual(layer_of("lib.rs", layers), 0)
        self.assertIsNone(layer_of("lib/x.rs", layers))

    def test_upwards_and_homeless(self):
        crate = Crate({"a.rs": "use crate::b::f; fn g() {}", "b.rs": "use crate::c::g;", "c.rs": "\nuse crate::a::g;"})
        with mock.patch.object(graph, "STRANGERS", []):
            found = [line for line in faults(crate, ["a", "c"]) if not line.startswith("cycle")]
        self.assertEqual(found, ["no layer: b.rs; give it one in tools/graph.py", "upwards: c.rs:2 -> a.rs"])

    def test_strangers_and_foreign_crates(self):
        crate = Crate({"a/x.rs": "use crate::b::f;\nuse axum::Router;\nfn g(it: ::leptos::View) {}", "b.rs": "pub fn f() {}"})
        with (
            mock.patch.object(graph, "STRANGERS", [("a", "b")]),
            mock.patch.object(graph, "FOREIGN", {"a": {"axum", "leptos"}}),
        ):
            self.assertEqual(
                faults(crate, ["a b"]),
                [
                    "a must not know b: a/x.rs:1 -> b.rs",
                    "a must not know axum: a/x.rs:2",
                    "a must not know leptos: a/x.rs:3",
                ],
            )

    def test_drawings(self):
        crate = Crate({"a.rs": "use crate::b::f;", "b.rs": "pub fn f() {}"})
        self.assertEqual(drawn(crate, ["a", "b"]), "1. a\n   a -> b\n2. b\n   b")
        self.assertIn('"a" -> "b";', dot(crate, ["a", "b"]))


class Sizes(unittest.TestCase):
    def test_files_and_functions(self):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for name in ["src", "tests/it", "crates/x/src", "xtask/src"]:
                (root / name).mkdir(parents=True)
            (root / "src/good.rs").write_text("//\n" * 340 + "fn f() {\n" + "\n" * 58 + "}\n")
            (root / "src/long.rs").write_text("//\n" * 401)
            (root / "tests/it/good.rs").write_text("//\n" * 500)
            (root / "crates/x/src/long.rs").write_text("\nfn f() {\n" + "// }\n" * 59 + "}\n")
            self.assertEqual(
                sizes.too_long(root),
                [
                    "src/long.rs: 401 lines, 400 at most",
                    "crates/x/src/long.rs:2: `f` has 61 lines, 60 at most",
                ],
            )


if __name__ == "__main__":
    unittest.main()
