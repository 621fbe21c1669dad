use std::{
    collections::{BTreeSet, HashSet},
    sync::LazyLock,
};

use proptest::prelude::*;

use super::*;

/// Without and with addresses that are not verified.
static TELLING: LazyLock<[Identities; 2]> = LazyLock::new(|| [identities(&[1], false), identities(&[1], true)]);

/// Any text, now and then a very long one.
fn text() -> impl Strategy<Value = String> {
    let odd = prop_oneof![any::<char>(), Just(','), Just('%'), Just(' '), Just('"'), Just('\n'), Just('\u{1f600}')];
    let short = prop::collection::vec(odd, 0..20).prop_map(String::from_iter);
    let longest = prop::sample::select(&["x", "\"", "é"][..]).prop_map(|letter| letter.repeat(256 / letter.len()));
    prop_oneof![
        8 => short.clone(),
        2 => (short.clone(), 1..40_usize).prop_map(|(text, times)| text.repeat(times)),
        1 => short.prop_map(|text| text.repeat(1_000)),
        3 => longest,
    ]
}

prop_compose! {
    fn anybody()(
        username in text(),
        email in prop::option::of(prop_oneof![text(), "[a-z'ü]{1,244}@example\\.com"]),
        email_verified in any::<bool>(),
        full_name in prop::option::of(text()),
        issuer in text(),
        subject in "[ -~]{0,255}",
        groups in prop::collection::vec(text(), 0..60),
        times in prop_oneof![3 => Just(1_usize), 1 => Just(10)],
    ) -> SignedIn {
        let SignedIn { user, provider, facts, browser, since, confirmed, until, recheck_from, .. } = ada();
        let groups = groups.iter().cycle().take(groups.len() * times).cloned().collect();
        SignedIn {
            user: User { username, email, email_verified, full_name, ..user },
            facts: SessionFacts { subject: Subject::new(&subject), groups, ..facts },
            issuer: Issuer::new(issuer),
            provider, browser, since, confirmed, until, recheck_from,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_group_can_pretend_to_be_another(groups in prop::collection::vec(text(), 0..8)) {
        let (names, site) = site(Vec::new(), &[("x-groups", Field::Groups)], None);
        let mut ada = ada();
        ada.facts.groups = groups;
        let identity = TELLING[0].of(&names, &site, &person(&ada), NOW);
        let told = texts(&identity.headers);
        let list = told["x-groups"];
        prop_assert!(list.trim() == list && !list.contains(char::is_control));
        let groups: Vec<_> = ada.facts.groups.into_iter().filter(|group| !group.is_empty()).collect();
        let read = decoded(list);
        prop_assert_eq!(&read[..], &groups[..read.len()]);
        prop_assert_eq!(read.len() < groups.len(), told["x-vestibule-truncated"] == "groups");
    }

    #[test]
    fn whoever_it_is_the_answer_is_whole_and_small(signed_in in anybody(), username_is_shared in any::<bool>(), unverified in any::<bool>()) {
        let fields = [Field::Username, Field::Name, Field::Email, Field::Groups, Field::Role, Field::Subject, Field::Issuer];
        let more = ["x-a", "x-b", "x-c", "x-d", "x-e", "x-f", "x-g"];
        let more: Vec<_> = more.into_iter().zip(fields).collect();
        let (names, site) = site(every_preset(), &more, None);
        let identities = &TELLING[usize::from(unverified)];
        let identity = identities.of(&names, &site, &Person { signed_in: &signed_in, username_is_shared }, NOW);

        prop_assert!(answer(&identity.headers) <= 3_500);
        prop_assert_eq!(identity.headers.len(), names.iter().count());
        prop_assert_eq!(identity.headers.keys().collect::<HashSet<_>>(), names.iter().collect());
        let told = texts(&identity.headers);
        for (name, text) in &told {
            prop_assert!(text.trim() == *text && !text.contains(char::is_control), "{}: {:?}", name, text);
        }
        // Whatever is told is told in the same way everywhere.
        let claims = verified(identities, told["x-vestibule-assertion"]);
        let said = |claim: &Json| claim.as_str().unwrap_or_default().to_owned();
        prop_assert_eq!(said(&claims["name"]), told["remote-name"]);
        prop_assert_eq!(said(&claims["email"]), told["x-c"]);
        prop_assert_eq!(said(&claims["preferred_username"]), told["x-a"]);
        prop_assert_eq!(said(&claims["idp"]["issuer"]), told["x-g"]);
        let groups: Vec<String> = serde_json::from_value(claims["groups"].clone()).unwrap_or_default();
        prop_assert_eq!(&decoded(told["remote-groups"]), &groups);
        prop_assert_eq!(claims["groups_truncated"] == true, told["x-vestibule-truncated"] == "groups");
        let own: BTreeSet<_> = signed_in.facts.groups.iter().collect();
        prop_assert!(groups.iter().all(|group| own.contains(group)));
        if told["authorization"].is_empty() {
            prop_assert!(told["remote-user"].is_empty());
        } else {
            prop_assert_eq!(said(&as_claudelens(told["authorization"])["sub"]), told["remote-user"]);
        }
    }
}
