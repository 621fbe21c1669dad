use super::*;

/// Version 2 of a value that had one field without a version, and then one field more.
#[derive(Debug, PartialEq)]
struct Grown {
    text: String,
    number: u8,
}

impl Sealed for Grown {
    const PURPOSE: Purpose = Purpose::State;

    fn write(&self) -> Payload {
        Payload::marked(1, &(&self.text, self.number))
    }

    fn read(version: u8, payload: &[u8]) -> Option<Self> {
        let (text, appended) = take(payload)?;
        let number = if version == 0 { 0 } else { take(appended)?.0 };
        Some(Self { text, number })
    }
}

struct Elsewhere(Grown);

impl Sealed for Elsewhere {
    const PURPOSE: Purpose = Purpose::Flow;

    fn write(&self) -> Payload {
        self.0.write()
    }

    fn read(version: u8, payload: &[u8]) -> Option<Self> {
        Grown::read(version, payload).map(Self)
    }
}

fn keyring(seeds: &[u8]) -> Keyring {
    let secrets: Vec<SecretKey> = seeds.iter().map(|seed| SecretKey::new(Box::new(vec![*seed; 32]))).collect();
    Keyring::new(&secrets[0], &secrets[1..], &PublicUrl::parse("https://rp.test").unwrap())
}

fn value() -> Grown {
    Grown { text: "value".into(), number: 7 }
}

fn sealed(keys: &Keyring) -> String {
    keys.seal(b"context", &value(), &System::real())
}

fn open(keys: &Keyring, text: &str) -> Option<Opened<Grown>> {
    keys.open(b"context", text)
}

#[test]
fn opens_what_it_sealed_and_tells_the_key() {
    let old = keyring(&[1]);
    let text = sealed(&old);
    let rotated = keyring(&[2, 1]);
    let opened = open(&rotated, &text).unwrap();
    assert_eq!(opened.value, value());
    assert_eq!(opened.key, KeyIndex(1));
    let derive = |keys: &Keyring, key| keys.derive(key, Derived::Nonce, [b"a", b"b"]);
    assert_ne!(derive(&rotated, opened.key), derive(&rotated, rotated.current()));
    assert_eq!(derive(&rotated, opened.key), derive(&old, old.current()));
    assert_ne!(derive(&old, old.current()), [0; 32]);
}

#[test]
fn opens_nothing_else() {
    let keys = keyring(&[1]);
    let text = sealed(&keys);
    assert!(keys.open::<Elsewhere>(b"context", &text).is_none(), "another purpose");
    assert!(keys.open::<Grown>(b"other", &text).is_none(), "another context");
    assert!(open(&keyring(&[9]), &text).is_none(), "another key");
    let secret = SecretKey::new(Box::new(vec![1; 32]));
    let elsewhere = Keyring::new(&secret, &[], &PublicUrl::parse("https://other.test").unwrap());
    assert!(open(&elsewhere, &text).is_none(), "another public URL");
    for position in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(bytes).unwrap();
        assert!(open(&keys, &altered).is_none(), "altered at {position}");
        assert!(open(&keys, &text[..position]).is_none(), "cut at {position}");
    }
    for junk in ["", "=", "AQ", "💥", "AAAA"] {
        assert!(open(&keys, junk).is_none());
    }
}

#[test]
fn older_and_newer_payloads_are_read_as_far_as_they_are_known() {
    struct As(Payload);
    impl Sealed for As {
        const PURPOSE: Purpose = Purpose::State;
        fn write(&self) -> Payload {
            Payload { format: self.0.format, bytes: self.0.bytes.clone() }
        }
        fn read(_: u8, _: &[u8]) -> Option<Self> {
            None
        }
    }
    let keys = keyring(&[1]);
    for (payload, read) in [
        (Payload::unmarked(&"value"), Some(0)),
        (Payload::unmarked(&("value", "appended")), Some(0)),
        (Payload::marked(1, &("value", 7_u8)), Some(7)),
        (Payload::marked(9, &("value", 7_u8, "appended", 5_u64)), Some(7)),
        (Payload::marked(1, &"value"), None),
    ] {
        let text = keys.seal(b"context", &As(payload), &System::real());
        assert_eq!(open(&keys, &text).map(|opened| opened.value.number), read);
    }
}

#[test]
fn derivation_keeps_its_parts_apart() {
    let keys = keyring(&[1]);
    let derive = |what, parts| keys.derive(keys.current(), what, parts);
    assert_ne!(derive(Derived::Nonce, [b"ab", b"c"]), derive(Derived::Nonce, [b"a", b"bc"]));
    assert_ne!(derive(Derived::Nonce, [b"a", b"b"]), derive(Derived::Verifier, [b"a", b"b"]));
}
