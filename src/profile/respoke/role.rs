//! What an endpoint may do: the role of its session, as `GET /roles/{id}` shows it.

use serde::Deserialize;
use serde_json::Value;

use crate::text::quote;
use crate::{Error, Grant, Requirement, RoleTree};

/// The lists of a role: groups, and numbers on the public telephone network. What is absent or of
/// another shape grants nothing.
///
/// For the switches beside them there are requirements: [`MediaRelay`], [`ListGroups`],
/// [`SubscribeToEvents`] and [`UnsubscribeFromEvents`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "Value")]
pub struct Role {
    groups: RoleTree,
    pstn_out: Vec<String>,
}

impl Role {
    /// Demands that `action` is permitted for every one of `groups`, each by its own rule: the
    /// exact name, else the longest prefix with `*`, else `*`. That rule alone counts.
    ///
    /// # Errors
    ///
    /// [`Reason::Denied`](crate::Reason::Denied) (403) if one is not permitted,
    /// [`Reason::Parameter`](crate::Reason::Parameter) (400) if there is none.
    pub fn require<G: AsRef<str>>(
        &self,
        action: GroupAction,
        groups: impl IntoIterator<Item = G>,
    ) -> Result<(), Error> {
        let action = action.as_str();
        let mut groups = groups.into_iter().peekable();
        if groups.peek().is_none() {
            let sentence = "groups are empty, wanted at least one";
            return Err(Error::invalid_request(sentence));
        }
        let Some(denied) = groups.find(|group| !self.groups.permits(group.as_ref(), action)) else {
            return Ok(());
        };
        let group = denied.as_ref();
        let rule = self.groups.rule_for(group);
        Err(Error::forbidden(format!(
            "rule for group {} is {}, wanted one that permits {action}",
            quote(group),
            rule.map_or("absent".to_owned(), quote)
        )))
    }

    /// Demands that `pstnOut` has the E.164 number `number`, such as `+14087672671`, or `*`.
    pub(super) fn require_number(&self, number: &str) -> Result<(), Error> {
        let listed = |wanted: &str| self.pstn_out.iter().any(|known| known == wanted);
        if is_e164(number) && (listed(number) || listed("*")) {
            return Ok(());
        }
        Err(Error::forbidden(format!(
            "number is {}, wanted an E.164 number of pstnOut",
            quote(number)
        )))
    }
}

/// `+`, and at most 15 digits that begin with a country code, none of which begins with zero.
fn is_e164(number: &str) -> bool {
    let digits = number.strip_prefix('+').unwrap_or_default();
    matches!(digits.len(), 2..=15)
        && !digits.starts_with('0')
        && digits.bytes().all(|digit| digit.is_ascii_digit())
}

impl From<Value> for Role {
    fn from(role: Value) -> Role {
        let numbers = role["pstnOut"].as_array().into_iter().flatten();
        Role {
            // `list` is a switch, whatever it looks like.
            groups: RoleTree::read(&role["groups"], &["list"]),
            pstn_out: numbers
                .filter_map(|number| number.as_str().map(str::to_owned))
                .collect(),
        }
    }
}

/// What may be done in a group, and the request that does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupAction {
    /// `POST /channels/{group}/subscribers`, and `POST /groups` for several.
    Subscribe,
    /// `DELETE /channels/{group}/subscribers`, and `DELETE /groups` for several.
    Unsubscribe,
    /// `POST /channels`.
    Create,
    /// `DELETE /channels/{group}`.
    Destroy,
    /// `POST /channels/{group}/publish`.
    Publish,
    /// `GET /channels/{group}/subscribers`.
    GetSubscribers,
}

impl GroupAction {
    fn as_str(self) -> &'static str {
        match self {
            GroupAction::Subscribe => "subscribe",
            GroupAction::Unsubscribe => "unsubscribe",
            GroupAction::Create => "create",
            GroupAction::Destroy => "destroy",
            GroupAction::Publish => "publish",
            GroupAction::GetSubscribers => "getsubscribers",
        }
    }
}

macro_rules! switches {
    ($($(#[doc = $doc:literal])+ $name:ident = $pointer:literal;)+) => { $(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        #[diagnostic::do_not_recommend]
        impl Requirement for $name {
            fn met_by(grant: &Grant<'_>) -> bool {
                grant.claims.at(concat!("/role", $pointer)) == Some(&Value::Bool(true))
            }
        }
    )+ };
}

switches! {
    /// A role that may relay media, `mediaRelay`: `/turn`.
    MediaRelay = "/mediaRelay";
    /// A role that may list groups, `groups.list`.
    ListGroups = "/groups/list";
    /// A role that may subscribe to the app's administrative events, `events.subscribe`.
    SubscribeToEvents = "/events/subscribe";
    /// A role that may end such subscriptions, `events.unsubscribe`.
    UnsubscribeFromEvents = "/events/unsubscribe";
}
