//! Role trees: the most specific rule alone decides, as an evaluation says that tries every rule.

use portcullis::RoleTree;
use serde_json::Value;

use super::bounds::Bound;
use super::stage;

/// Each rule is a name and a list of actions, 32 bytes and what they hold, in a list that doubles as it grows;
/// a rule may be six bytes of text.
const READING: Bound = Bound {
    fixed: 1_024,
    per_byte: 48,
};

/// Nothing is allocated to answer a question.
const ASKING: Bound = Bound {
    fixed: 0,
    per_byte: 0,
};

/// The input is a tree in its first line, words that are no rules in the second, and in each other a name and
/// an action that are asked for.
pub fn role_tree(data: &[u8]) {
    let Some(lines) = stage::lines(data, 40) else {
        return;
    };
    let Ok(document) = serde_json::from_str::<Value>(lines[0]) else {
        return;
    };
    let reserved: Vec<&str> = lines.get(1).map_or("", |line| line).split(' ').collect();
    let tree = READING.hold(data.len(), || RoleTree::read(&document, &reserved));

    let mut asked: Vec<(String, String)> = Vec::new();
    for line in lines.iter().skip(2) {
        let (name, action) = line.rsplit_once(' ').unwrap_or((line, ""));
        asked.push((name.to_owned(), action.to_owned()));
    }
    // What lies near to each rule: its own name, with and without the star, longer and shorter.
    for (rule, actions) in document.as_object().into_iter().flatten().take(12) {
        let stem = rule.trim_end_matches('*');
        let shorter = stem.char_indices().last().map_or("", |(at, _)| &stem[..at]);
        let actions = actions.as_object().into_iter().flatten();
        let actions = actions.map(|(action, _)| action.as_str()).chain([""]);
        for action in actions.take(3) {
            for name in [
                rule,
                stem,
                shorter,
                &format!("{stem}x"),
                &format!("{rule}*"),
            ] {
                asked.push((name.to_owned(), action.to_owned()));
            }
        }
    }
    for (name, action) in &asked {
        let rule = most_specific(&document, &reserved, name);
        let wanted = rule.is_some_and(|rule| document[rule][action] == Value::Bool(true));
        let found = ASKING.hold(name.len(), || tree.permits(name, action));
        assert_eq!(found, wanted, "{action:?} {name:?}: {tree:?}");
        let found = ASKING.hold(name.len(), || tree.rule_for(name));
        assert_eq!(found, rule, "{name:?}: {tree:?}");
    }
    if let Some((_, action)) = asked.first() {
        let same: Vec<&str> = asked.iter().map(|(name, _)| name.as_str()).collect();
        let each = same.iter().all(|name| tree.permits(name, action));
        assert_eq!(tree.permits_all(&same, action), each);
    }
    assert!(!tree.permits_all([""; 0], "publish"));
}

/// The name of the rule that decides: every one is looked at.
fn most_specific<'a>(document: &'a Value, reserved: &[&str], name: &str) -> Option<&'a str> {
    let mut best: Option<(usize, &str)> = None;
    for rule in document.as_object()?.keys() {
        if reserved.contains(&rule.as_str()) {
            continue;
        }
        // One star, and that at the end.
        let is_prefix = rule.matches('*').count() == 1 && rule.ends_with('*');
        let weight = match is_prefix {
            false if rule == name => usize::MAX,
            true if name.starts_with(&rule[..rule.len() - 1]) => rule.len(),
            _ => continue,
        };
        if best.is_none_or(|(most, _)| weight > most) {
            best = Some((weight, rule));
        }
    }
    best.map(|(_, rule)| rule)
}
