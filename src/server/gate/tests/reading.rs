use super::*;
use crate::server::limits;

fn readings(uri: &str) -> Result<Vec<String>, Unreadable> {
    let readings = Readings::of(uri)?;
    Ok(readings.iter().map(str::to_owned).collect())
}

fn sorted(uri: &str) -> Vec<String> {
    let mut all = readings(uri).unwrap_or_else(|why| panic!("{uri}: {why}"));
    all.sort();
    all
}

#[test]
fn a_plain_path_is_read_in_one_way() {
    for path in ["/", "/page", "/a/b/", "/a.b/..c/.d/e..", "/~ada/x:y@z,(1)!$&'*+=", "/a%", "/é/ü"] {
        let wanted = if path == "/a%" { Err(Unreadable::Escape) } else { Ok(vec![path.to_owned()]) };
        assert_eq!(readings(path), wanted);
        if wanted.is_ok() {
            assert_eq!(readings(&format!("{path}?/../%zz;#x")), wanted, "the query takes no part");
        }
    }
}

#[test]
fn what_has_to_be_encoded_is_read_in_one_way() {
    for (path, reading) in [
        ("/%C3%9Cber%20uns/", "/Über uns/"),
        ("/%c3%9cber uns/", "/Über uns/"),
        ("/100%25/a", "/100%/a"),
        ("/%7Bid%7D%22%3C%3E%5E%60%7C", "/{id}\"<>^`|"),
    ] {
        assert_eq!(readings(path), Ok(vec![reading.to_owned()]), "{path}");
    }
}

#[test]
fn a_path_that_can_be_read_in_more_than_one_way_is_read_in_each() {
    for (path, all) in [
        ("/a%2Fb", &["/a%2Fb", "/a/b"][..]),
        ("/%61b", &["/%61b", "/ab"]),
        ("/a//b", &["/a//b", "/a/b"]),
        ("/a/../b", &["/a/../b", "/b"]),
        ("/a/%2E%2e/b", &["/a/%2E%2e/b", "/a/../b", "/b"]),
        ("/a/./b/.", &["/a/./b/.", "/a/b/"]),
        ("/../a", &["/../a", "/a"]),
        ("/a;x/b;y", &["/a/b", "/a;x/b;y"]),
        ("/a\\b", &["/a/b", "/a\\b"]),
        ("/a#b", &["/a", "/a#b"]),
        ("/a%3Fb", &["/a", "/a%3Fb", "/a?b"]),
        ("/a%40b", &["/a%40b", "/a@b"]),
        ("/%41%2eb", &["/%41%2eb", "/%41.b", "/A%2eb", "/A.b"]),
        ("/%41%40b", &["/%41%40b", "/A@b"]),
        ("/%41%3fb", &["/%41", "/%41%3fb", "/%41?b", "/A", "/A%3fb", "/A?b"]),
        ("/%2f%3bb", &["/", "/%2f", "/%2f%3bb", "/%2f;b", "/%3bb", "//", "//%3bb", "//;b", "/;b"]),
        ("/%41%2fb", &["/%41%2fb", "/%41/b", "/A%2fb", "/A/b"]),
        ("/a//../b", &["/a/../b", "/a//../b", "/a/b", "/b"]),
    ] {
        assert_eq!(sorted(path), all, "{path}");
        assert_eq!(readings(path).unwrap()[0], path, "as it was written first");
    }
    for (path, meant) in [
        ("/public/..;/admin/", "/admin/"),
        ("/public/..%3bx=1%2f%61dmin/", "/admin/"),
        ("/public/%5c..%5c..%5cadmin%5c", "/admin/"),
        ("/public/.%2e\\/admin//x/..", "/admin/"),
        ("//public/x/..//../admin/%2e/", "/admin/"),
        ("//", "/"),
        ("/..", "/"),
        ("/.", "/"),
    ] {
        assert!(sorted(path).iter().any(|one| one == meant), "{path}: {:?}", sorted(path));
    }
}

#[test]
fn what_nobody_can_read_is_unreadable() {
    for (path, why) in [
        ("/a%00", Unreadable::Control),
        ("/a%0d%0A", Unreadable::Control),
        ("/a%7f", Unreadable::Control),
        ("/a%C2%85", Unreadable::Control),
        ("/%ff", Unreadable::Encoding),
        ("/%c0%af", Unreadable::Encoding),
        ("/é%C3", Unreadable::Encoding),
        ("/%ed%a0%80", Unreadable::Encoding),
        ("/%", Unreadable::Escape),
        ("/%2", Unreadable::Escape),
        ("/%zz", Unreadable::Escape),
        ("/%u002e", Unreadable::Escape),
        ("/%+1", Unreadable::Escape),
        ("/%252f", Unreadable::Twice),
        ("/%252e%252e/", Unreadable::Twice),
        ("/%25%32%66", Unreadable::Twice),
        ("/%25%32f", Unreadable::Twice),
        ("/%%32f", Unreadable::Escape),
    ] {
        assert_eq!(readings(path), Err(why), "{path}");
    }
    assert_eq!(Unreadable::Twice.to_string(), "it would have to be decoded twice", "the log says why");
}

#[test]
fn no_path_is_read_in_more_ways_than_one_can_look_at() {
    let long = format!("/{}", "a%2f..%5c..;x//%61".repeat(1000));
    assert_eq!(readings(&long), Err(Unreadable::TooMany));
    let ordinary = format!("/api/v4/projects/group%2Fproject/repository/files/{}src%2Fmain%2Ers", "a".repeat(1000));
    assert!(readings(&ordinary).is_ok(), "a long path with some escapes");
    let short = "/a/%2e%2e/b%2f..;c%3bd//e\\f%3fg%23h%5c%41;i";
    assert_eq!(readings(short), Err(Unreadable::TooMany), "a short one that can be read in hundreds");
    // Two readings, the second of which is shorter by two.
    let two = |bytes: usize| format!("/{}%2Fb", "a".repeat(bytes / 2 + 1 - "/%2Fb".len()));
    assert_eq!(readings(&two(limits::READINGS_BYTES)).unwrap().len(), 2);
    assert_eq!(readings(&two(limits::READINGS_BYTES + 2)), Err(Unreadable::TooMany));
    let some = readings("/a%2fb;c//d").unwrap();
    assert!(some.len() > 5, "{}", some.len());
}
