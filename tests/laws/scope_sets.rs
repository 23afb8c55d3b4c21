//! Scopes are a set of exact words (RFC 6749 §3.3): order and repetition say nothing, every byte does.

use std::collections::BTreeSet;

use portcullis::{Scope, Scopes};
use proptest::prelude::*;

proptest! {
    #[test]
    fn scopes_are_a_set_of_exact_words(
        words in proptest::collection::vec("[!#-\\[\\]-~]{1,6}|[abAB]{1,2}", 0..24),
        more in proptest::collection::vec("[abAB]{1,2}", 0..6),
        blanks in 1_usize..4,
    ) {
        let set: BTreeSet<&str> = words.iter().map(String::as_str).collect();
        let scopes: Scopes = words.join(&" ".repeat(blanks)).parse().unwrap();
        prop_assert_eq!(scopes.iter().collect::<Vec<_>>(), set.iter().copied().collect::<Vec<_>>());
        prop_assert_eq!(scopes.len(), set.len());
        prop_assert_eq!(scopes.is_empty(), set.is_empty());
        // In another order, more than once, from another form.
        let twice: Scopes = words.iter().rev().chain(&words).map(String::as_str).collect();
        prop_assert_eq!(&twice, &scopes);
        prop_assert_eq!(scopes.to_string().parse::<Scopes>().unwrap(), scopes.clone());
        for word in words.iter().chain(&more) {
            let contains = |word: &str| scopes.contains(&Scope::new(word.to_owned()).unwrap());
            prop_assert_eq!(contains(word), set.contains(&**word));
            let upper = word.to_uppercase();
            prop_assert_eq!(contains(&upper), set.contains(&*upper));
            for part in 1..word.len() {
                prop_assert_eq!(contains(&word[..part]), set.contains(&word[..part]));
            }
        }
        // Another set is another value.
        let wider: Scopes = words.iter().chain(&more).map(String::as_str).collect();
        let grown = more.iter().any(|word| !set.contains(&**word));
        prop_assert_eq!(wider != scopes, grown);
    }
}
