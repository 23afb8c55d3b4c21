//! Which scopes imply which, where an API says so.

use std::collections::BTreeMap;

use crate::scope::{Scope, Scopes};

/// A declared hierarchy of scopes: the broader implies the narrower. Opt-in data of your API; without
/// it scopes are exact words.
///
/// Give it to [`ResourceServerBuilder::scope_hierarchy`](crate::ResourceServerBuilder::scope_hierarchy).
/// It decides what a [`Requirement`](crate::Requirement) accepts; what
/// [`AccessToken::scopes`](crate::AccessToken::scopes) tells stays what the token says.
///
/// # Examples
///
/// ```
/// use portcullis::{ScopeHierarchy, Scopes, scope};
///
/// let hierarchy = ScopeHierarchy::new()
///     .implies(scope!("admin"), [scope!("write:events")])
///     .implies(scope!("write:events"), [scope!("read:events")]);
/// let held: Scopes = "admin".parse()?;
/// assert!(hierarchy.grants(&held, &scope!("read:events")));
/// assert!(!hierarchy.grants(&held, &scope!("read:people")));
/// # Ok::<(), std::convert::Infallible>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ScopeHierarchy {
    /// For each scope those that imply it, however indirectly; itself not among them.
    broader: BTreeMap<Scope, Vec<Scope>>,
    separator: Option<char>,
}

impl ScopeHierarchy {
    /// Begins a hierarchy in which nothing implies anything.
    pub fn new() -> ScopeHierarchy {
        ScopeHierarchy::default()
    }

    /// Says that `broad` implies each of `narrow`, and what those imply.
    pub fn implies(
        mut self,
        broad: Scope,
        narrow: impl IntoIterator<Item = Scope>,
    ) -> ScopeHierarchy {
        for narrow in narrow {
            let mut implying = self.broader.get(&broad).cloned().unwrap_or_default();
            implying.push(broad.clone());
            // What the narrow one implies already, the broad one and all above it imply, too.
            let below = self
                .broader
                .iter()
                .filter(|(_, over)| over.contains(&narrow));
            let mut implied: Vec<Scope> = below.map(|(scope, _)| scope.clone()).collect();
            implied.push(narrow);
            for scope in implied {
                let over = self.broader.entry(scope.clone()).or_default();
                over.extend(implying.iter().filter(|new| **new != scope).cloned());
                over.sort_unstable();
                over.dedup();
            }
        }
        self
    }

    /// Says that a scope implies all that begin with it and `separator`: with `:`, `mail` implies
    /// `mail:send`. Never the reverse.
    pub fn prefix_implies(mut self, separator: char) -> ScopeHierarchy {
        self.separator = Some(separator);
        self
    }

    /// Whether who holds `held` has `wanted`.
    pub fn grants(&self, held: &Scopes, wanted: &Scope) -> bool {
        if self.holds(held, wanted.as_str()) {
            return true;
        }
        let separator = self.separator;
        let mut prefixes = separator.into_iter().flat_map(|separator| {
            let word = wanted.as_str();
            word.match_indices(separator).map(|(at, _)| &word[..at])
        });
        prefixes.any(|prefix| self.holds(held, prefix))
    }

    /// The word itself, or one that was declared to imply it.
    fn holds(&self, held: &Scopes, word: &str) -> bool {
        let declared = self
            .broader
            .iter()
            .find(|(scope, _)| scope.as_str() == word);
        held.contains_word(word)
            || declared.is_some_and(|(_, over)| over.iter().any(|scope| held.contains(scope)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope;

    fn grants(hierarchy: &ScopeHierarchy, held: &str, wanted: &'static str) -> bool {
        hierarchy.grants(&held.parse().unwrap(), &Scope::from_static(wanted))
    }

    #[test]
    fn the_broader_implies_the_narrower_in_whatever_order_it_was_said() {
        let (a, b, c) = (scope!("a"), scope!("b"), scope!("c"));
        let downwards = ScopeHierarchy::new()
            .implies(a.clone(), [b.clone()])
            .implies(b.clone(), [c.clone()]);
        let upwards = ScopeHierarchy::new()
            .implies(b.clone(), [c])
            .implies(a, [b]);
        for hierarchy in [downwards, upwards] {
            for (held, wanted, granted) in [
                ("a", "a", true),
                ("a", "b", true),
                ("a", "c", true),
                ("b", "c", true),
                ("b", "a", false),
                ("c", "b", false),
                ("x", "a", false),
                ("", "c", false),
            ] {
                assert_eq!(grants(&hierarchy, held, wanted), granted, "{held} {wanted}");
            }
        }
    }

    #[test]
    fn a_circle_ends() {
        let (a, b) = (scope!("a"), scope!("b"));
        let circle = ScopeHierarchy::new()
            .implies(a.clone(), [b.clone()])
            .implies(b, [a.clone()])
            .implies(a.clone(), [a]);
        assert!(grants(&circle, "a", "b") && grants(&circle, "b", "a"));
        assert!(!grants(&circle, "c", "a"));
    }

    #[test]
    fn a_prefix_ends_at_the_separator() {
        let none = ScopeHierarchy::new();
        let colon = ScopeHierarchy::new()
            .prefix_implies(':')
            .implies(scope!("all"), [scope!("mail")]);
        assert!(!grants(&none, "mail", "mail:send"));
        assert!(grants(&colon, "mail", "mail:send"));
        assert!(grants(&colon, "mail:send", "mail:send:now"));
        assert!(grants(&colon, "all", "mail:send"));
        assert!(!grants(&colon, "mail", "mailbox"));
        assert!(!grants(&colon, "mail:send", "mail"));
        assert!(!grants(&colon, "", ":x"));
    }
}
