//! Scopes: the words of RFC 6749 §3.3 that say what a token may be used for.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// One scope: a word of the characters RFC 6749 §3.3 allows (`%x21`, `%x23-5B`, `%x5D-7E`).
///
/// Scopes are exact words: `read` does not imply `read:events`, nor the reverse.
///
/// # Examples
///
/// ```
/// use portcullis::{Scope, scope};
///
/// const READ: Scope = scope!("read:events"); // checked while compiling
/// assert_eq!(Scope::new("read:events".to_owned())?, READ);
/// assert!(Scope::new("two words").is_err());
/// # Ok::<(), portcullis::ScopeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(Cow<'static, str>);

impl Scope {
    /// Takes `word` as a scope.
    ///
    /// # Errors
    ///
    /// [`ScopeError`] if `word` is empty or holds a character outside the grammar.
    pub fn new(word: impl Into<Cow<'static, str>>) -> Result<Scope, ScopeError> {
        let word = word.into();
        match first_outside_grammar(word.as_bytes()) {
            None => Ok(Scope(word)),
            Some(_) => Err(ScopeError {
                found: crate::text::quote(&word),
            }),
        }
    }

    /// Takes a literal as a scope; [`scope!`](crate::scope!) calls it while compiling.
    ///
    /// # Panics
    ///
    /// If `word` is not a scope. In a `const` that is a compile error.
    pub const fn from_static(word: &'static str) -> Scope {
        assert!(
            first_outside_grammar(word.as_bytes()).is_none(),
            "a scope is one word of visible ASCII without `\"` and `\\` (RFC 6749 section 3.3); \
             write several scopes as several items"
        );
        Scope(Cow::Borrowed(word))
    }

    /// The word itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The place of the first byte no scope may hold; an empty word is wrong at its place 0.
const fn first_outside_grammar(word: &[u8]) -> Option<usize> {
    if word.is_empty() {
        return Some(0);
    }
    let mut place = 0;
    while place < word.len() {
        if !matches!(word[place], 0x21 | 0x23..=0x5B | 0x5D..=0x7E) {
            return Some(place);
        }
        place += 1;
    }
    None
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Scope {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Says why a text is no [`Scope`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeError {
    found: String,
}

impl fmt::Display for ScopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "scope is {}, wanted one word of visible ASCII without `\"` and `\\`",
            self.found
        )
    }
}

impl std::error::Error for ScopeError {}

/// Makes a [`Scope`] of a literal, checked while compiling.
///
/// ```
/// use portcullis::scope;
/// assert_eq!(scope!("write:events").as_str(), "write:events");
/// ```
///
/// ```compile_fail
/// portcullis::scope!("read events"); // two words
/// ```
#[macro_export]
macro_rules! scope {
    // A named constant is judged by `cargo check`; a `const` block only when code is made.
    ($word:literal) => {{
        const SCOPE: $crate::Scope = $crate::Scope::from_static($word);
        SCOPE
    }};
}

/// The scopes of a token: a set of exact words. Cloning is cheap.
///
/// It is split once, when the token is verified; asking whether it holds a scope costs a binary
/// search. Words of a token that no [`Scope`] can equal grant nothing.
///
/// # Examples
///
/// ```
/// use portcullis::{Scopes, scope};
///
/// let scopes: Scopes = "write:events read:events".parse()?;
/// assert!(scopes.contains(&scope!("read:events")));
/// assert!(!scopes.contains(&scope!("read")));
/// assert_eq!(scopes.to_string(), "read:events write:events");
/// # Ok::<(), std::convert::Infallible>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Scopes {
    /// Sorted, without repetition.
    words: Option<Arc<[Box<str>]>>,
}

impl Scopes {
    /// Whether the set holds `scope`.
    pub fn contains(&self, scope: &Scope) -> bool {
        self.contains_word(scope.as_str())
    }

    pub(crate) fn contains_word(&self, word: &str) -> bool {
        let words = self.words.as_deref().unwrap_or_default();
        words.binary_search_by(|held| (**held).cmp(word)).is_ok()
    }

    /// The words in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.words
            .iter()
            .flat_map(|words| words.iter())
            .map(|w| &**w)
    }

    /// How many words the set holds.
    pub fn len(&self) -> usize {
        self.words.as_ref().map_or(0, |words| words.len())
    }

    /// Whether the set holds no word.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<S: Into<Box<str>>> FromIterator<S> for Scopes {
    fn from_iter<I: IntoIterator<Item = S>>(words: I) -> Scopes {
        let mut words: Vec<Box<str>> = words.into_iter().map(Into::into).collect();
        words.retain(|word| !word.is_empty());
        words.sort_unstable();
        words.dedup();
        Scopes {
            words: (!words.is_empty()).then(|| words.into()),
        }
    }
}

impl std::str::FromStr for Scopes {
    type Err = std::convert::Infallible;

    /// Splits a space-separated list, as in the `scope` claim (RFC 8693 §4.2).
    fn from_str(list: &str) -> Result<Scopes, Self::Err> {
        Ok(list.split(' ').collect())
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, word) in self.iter().enumerate() {
            if place > 0 {
                f.write_str(" ")?;
            }
            f.write_str(word)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_one_word_of_the_grammar() {
        for good in ["a", "read:events", "https://x.example/y", "!", "#[]~"] {
            assert!(Scope::new(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a\"b", "a\\b", "a\u{e9}", "a\n"] {
            assert!(Scope::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(
            Scope::new("a b").unwrap_err().to_string(),
            "scope is \"a b\", wanted one word of visible ASCII without `\"` and `\\`"
        );
    }

    #[test]
    fn scopes_are_a_set_of_exact_words() {
        let scopes: Scopes = "b a  b".parse().unwrap();
        assert_eq!(scopes.len(), 2);
        assert_eq!(scopes.iter().collect::<Vec<_>>(), ["a", "b"]);
        assert!(scopes.contains(&scope!("a")));
        assert!(!scopes.contains(&scope!("A")));
        assert!(Scopes::default().is_empty());
        assert_eq!("".parse::<Scopes>().unwrap(), Scopes::default());
    }

    #[test]
    fn an_array_item_with_a_space_is_no_list() {
        let scopes: Scopes = ["a b"].into_iter().collect();
        assert!(!scopes.contains(&scope!("a")));
    }
}
