//! Permissions by name rule, as session systems keep them: the most specific rule alone decides.

use std::fmt;

use serde_json::Value;

/// What somebody may do to things that have names: rules for names, and the actions each permits.
///
/// A rule is an exact name, a prefix with one `*` at its end, or `*` for every name. Of the rules
/// that match a name the most specific decides *alone*: the exact name, else the longest prefix,
/// else `*`. Nothing is merged, and where the rule that decides says no or nothing, no broader one
/// is asked. What no rule matches is denied, and so is what is not the boolean `true`.
///
/// A prefix matches itself: `room*` is for `room` and `room5`. A star elsewhere than at the end
/// (`a*b`, `a**`) is a letter like any other, and so is every star of a name that is asked for.
/// Names are compared letter by letter, with case.
///
/// A question costs a binary search and allocates nothing.
///
/// # Examples
///
/// ```
/// use portcullis::{Permits, RoleTree};
/// use serde_json::json;
///
/// /// What a session's row holds, read once when the session is looked up.
/// struct Session { rooms: RoleTree }
///
/// struct Publish<'a> { room: &'a str }
///
/// impl Permits<Publish<'_>> for Session {
///     fn permits(&self, wanted: &Publish<'_>) -> bool {
///         self.rooms.permits(wanted.room, "publish")
///     }
/// }
///
/// let rooms = json!({
///     "list": true, // Whether rooms may be listed: no rule for a room of that name.
///     "admin": {"publish": true},
///     "team*": {"subscribe": true, "publish": false},
///     "*": {"subscribe": true, "publish": true},
/// });
/// let session = Session { rooms: RoleTree::read(&rooms, &["list"]) };
///
/// assert!(session.permits(&Publish { room: "admin" }));
/// assert!(!session.permits(&Publish { room: "team7" })); // `team*` says no; `*` is not asked
/// assert!(session.permits(&Publish { room: "lobby" }));
/// assert!(session.permits(&Publish { room: "list" })); // by `*`
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RoleTree {
    /// Sorted by name.
    exact: Box<[Rule]>,
    /// Sorted by prefix. `*` is the empty one, so it stands first.
    prefixes: Box<[Prefix]>,
}

#[derive(Clone, PartialEq, Eq)]
struct Rule {
    /// As it is written.
    name: Box<str>,
    /// What is permitted; whatever else the rule speaks of is not.
    actions: Box<[Box<str>]>,
}

#[derive(Clone, PartialEq, Eq)]
struct Prefix {
    rule: Rule,
    /// The place of the longest other prefix that this one begins with.
    broader: Option<usize>,
}

impl RoleTree {
    /// Reads a tree: an object with a member for each rule, which is an object of actions.
    ///
    /// `reserved` are members that stand beside the rules and mean something else. They are not
    /// rules, and a name that equals one is matched by prefixes and `*` only.
    ///
    /// Whatever has another shape grants nothing: a tree that is no object is empty, and a rule
    /// that is no object denies the names it decides about.
    pub fn read(tree: &Value, reserved: &[&str]) -> RoleTree {
        let mut exact = Vec::new();
        let mut prefixes = Vec::new();
        for (name, actions) in tree.as_object().into_iter().flatten() {
            if reserved.contains(&name.as_str()) {
                continue;
            }
            let rule = Rule::read(name, actions);
            match name.find('*') {
                Some(star) if star + 1 == name.len() => prefixes.push(rule),
                _ => exact.push(rule),
            }
        }
        // What the map is sorted by is serde_json's choice, and a feature of it.
        exact.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        prefixes.sort_unstable_by(|a, b| a.prefix().cmp(b.prefix()));
        RoleTree {
            exact: exact.into(),
            prefixes: nest(prefixes).into(),
        }
    }

    /// Whether the rule for `name` permits `action`.
    pub fn permits(&self, name: &str, action: &str) -> bool {
        self.rule(name).is_some_and(|rule| rule.permits(action))
    }

    /// Whether `action` is permitted for every one of `names`, each by its own rule. No names at
    /// all are denied: a bulk request that names nothing was read wrongly.
    ///
    /// # Examples
    ///
    /// ```
    /// # let tree = serde_json::json!({"a": {"join": true}, "b*": {"join": true}});
    /// # let tree = portcullis::RoleTree::read(&tree, &[]);
    /// let asked: Vec<String> = vec!["a".to_owned(), "b1".to_owned()];
    /// assert!(tree.permits_all(&asked, "join"));
    /// assert!(!tree.permits_all(["a", "c"], "join"));
    /// assert!(!tree.permits_all([""; 0], "join"));
    /// ```
    pub fn permits_all<N: AsRef<str>>(
        &self,
        names: impl IntoIterator<Item = N>,
        action: &str,
    ) -> bool {
        let mut names = names.into_iter().peekable();
        names.peek().is_some() && names.all(|name| self.permits(name.as_ref(), action))
    }

    /// The rule that decides about `name`, as it is written, such as `room*`. For a log line that
    /// says why; the rule may still permit nothing.
    pub fn rule_for(&self, name: &str) -> Option<&str> {
        self.rule(name).map(|rule| &*rule.name)
    }

    fn rule(&self, name: &str) -> Option<&Rule> {
        if let Ok(place) = self
            .exact
            .binary_search_by(|rule| rule.name.as_ref().cmp(name))
        {
            return self.exact.get(place);
        }
        // Every prefix of a name sorts before it, and between the two stand only texts that begin
        // with that prefix, too. So the last one before the name is, or begins with, the longest.
        let before = self
            .prefixes
            .partition_point(|prefix| prefix.rule.prefix() <= name);
        let place = longest(&self.prefixes, before.checked_sub(1), name)?;
        self.prefixes.get(place).map(|prefix| &prefix.rule)
    }
}

impl Rule {
    fn read(name: &str, actions: &Value) -> Rule {
        let actions = actions.as_object().into_iter().flatten();
        let mut actions: Vec<Box<str>> = actions
            .filter(|(_, permitted)| **permitted == Value::Bool(true))
            .map(|(action, _)| action.as_str().into())
            .collect();
        actions.sort_unstable();
        Rule {
            name: name.into(),
            actions: actions.into(),
        }
    }

    fn permits(&self, action: &str) -> bool {
        self.actions
            .binary_search_by(|permitted| permitted.as_ref().cmp(action))
            .is_ok()
    }

    /// The name without its star.
    fn prefix(&self) -> &str {
        self.name.strip_suffix('*').unwrap_or(&self.name)
    }
}

/// Notes for each prefix the next broader one. `rules` are sorted.
fn nest(rules: Vec<Rule>) -> Vec<Prefix> {
    let mut nested: Vec<Prefix> = Vec::with_capacity(rules.len());
    for rule in rules {
        let broader = longest(&nested, nested.len().checked_sub(1), rule.prefix());
        nested.push(Prefix { rule, broader });
    }
    nested
}

/// The longest prefix that `name` begins with, among the one at `place` and the broader ones.
fn longest(prefixes: &[Prefix], mut place: Option<usize>, name: &str) -> Option<usize> {
    while let Some(prefix) = place.and_then(|place| prefixes.get(place)) {
        if name.starts_with(prefix.rule.prefix()) {
            return place;
        }
        place = prefix.broader;
    }
    None
}

impl fmt::Debug for RoleTree {
    /// Prints each rule with the actions it permits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefixes = self.prefixes.iter().map(|prefix| &prefix.rule);
        let rules = self.exact.iter().chain(prefixes);
        f.debug_map()
            .entries(rules.map(|rule| (&rule.name, &rule.actions)))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn groups() -> RoleTree {
        let tree = json!({
            "list": true,
            "admin": {"publish": true},
            "buddylist*": {"subscribe": true, "publish": false},
            "buddylistroom*": {"create": true},
            "*": {"subscribe": true, "publish": true},
        });
        RoleTree::read(&tree, &["list"])
    }

    #[test]
    fn the_most_specific_rule_alone_decides() {
        let tree = groups();
        for (name, rule, permitted) in [
            ("admin", "admin", "publish"),
            ("admins", "*", "publish subscribe"),
            ("buddylist", "buddylist*", "subscribe"),
            ("buddylist1", "buddylist*", "subscribe"),
            ("buddylistroo", "buddylist*", "subscribe"),
            ("buddylistroom", "buddylistroom*", "create"),
            ("buddylistroom5", "buddylistroom*", "create"),
            ("buddylistzoo", "buddylist*", "subscribe"),
            ("buddylis", "*", "publish subscribe"),
            ("Admin", "*", "publish subscribe"),
            ("", "*", "publish subscribe"),
        ] {
            assert_eq!(tree.rule_for(name), Some(rule), "{name}");
            for action in ["create", "publish", "subscribe", "destroy", ""] {
                let wanted = permitted.split(' ').any(|known| known == action);
                assert_eq!(tree.permits(name, action), wanted, "{action} {name}");
            }
        }
    }

    #[test]
    fn a_name_without_a_rule_is_denied() {
        let tree = json!({"a": {"join": true}, "b*": {"join": true}});
        let tree = RoleTree::read(&tree, &[]);
        for name in ["", "aa", "c", "*", "ab"] {
            assert_eq!(tree.rule_for(name), None, "{name}");
            assert!(!tree.permits(name, "join"), "{name}");
        }
    }

    #[test]
    fn only_a_star_at_the_end_is_a_pattern() {
        let yes = json!({"join": true});
        let tree = json!({"a*b": yes, "c**": yes, "*d": yes, "e*f*": yes, "g*": yes});
        let tree = RoleTree::read(&tree, &[]);
        for literal in ["a*b", "c**", "*d", "e*f*"] {
            assert_eq!(tree.rule_for(literal), Some(literal));
        }
        for name in ["axb", "c", "c*", "c*x", "xd", "e*fx", "exf*"] {
            assert_eq!(tree.rule_for(name), None, "{name}");
        }
        // What is asked for is a name, whatever it looks like.
        assert_eq!(tree.rule_for("g*"), Some("g*"));
        assert_eq!(tree.rule_for("g*h"), Some("g*"));
        assert_eq!(tree.rule_for("*"), None);
    }

    #[test]
    fn reserved_members_are_no_rules() {
        let tree = json!({"list": {"join": true}, "li*": {"leave": true}, "x*": {"join": true}});
        let reserved = RoleTree::read(&tree, &["list", "x*"]);
        assert_eq!(reserved.rule_for("list"), Some("li*"));
        assert!(!reserved.permits("list", "join"));
        assert!(reserved.permits("list", "leave"));
        assert_eq!(reserved.rule_for("xy"), None);
        assert_eq!(RoleTree::read(&tree, &[]).rule_for("list"), Some("list"));
        assert_eq!(groups().rule_for("list"), Some("*"));
    }

    #[test]
    fn whatever_is_not_true_denies() {
        for odd in [
            json!(false),
            json!(null),
            json!(1),
            json!("true"),
            json!([true]),
            json!({"x": true}),
        ] {
            let tree = json!({"a": {"join": odd, "leave": true}, "*": {"join": true}});
            let tree = RoleTree::read(&tree, &[]);
            assert!(!tree.permits("a", "join"), "{odd}");
            assert!(tree.permits("a", "leave"), "{odd}");
        }
        // A rule of another shape is still the most specific one.
        for odd in [json!(true), json!(null), json!("join"), json!(["join"])] {
            let tree = json!({"a": odd, "*": {"join": true}});
            assert!(!RoleTree::read(&tree, &[]).permits("a", "join"), "{odd}");
            assert_eq!(RoleTree::read(&odd, &[]), RoleTree::default());
        }
        assert!(!RoleTree::default().permits("a", "join"));
    }

    #[test]
    fn in_bulk_every_name_counts_by_its_own_rule() {
        let tree = groups();
        assert!(tree.permits_all(["admin", "lobby"], "publish"));
        assert!(!tree.permits_all(["admin", "buddylist"], "publish"));
        assert!(!tree.permits_all(["buddylist", "admin"], "publish"));
        assert!(tree.permits_all(&[String::from("admin")], "publish"));
        assert!(!tree.permits_all([""; 0], "publish"));
    }

    #[test]
    fn debug_shows_rules_and_what_they_permit() {
        let tree = json!({"a*": {"y": true, "x": true, "z": false}, "b": 1});
        assert_eq!(
            format!("{:?}", RoleTree::read(&tree, &[])),
            r#"{"b": [], "a*": ["x", "y"]}"#
        );
    }
}
