//! What a profile's types print: no token that one of them has seen.

use std::collections::BTreeSet;

use http::Request;
use portcullis::LookupAnswer;
use portcullis::profile::{auth0, oclc, respoke, rocket_lawyer};
use serde_json::json;

use crate::page::Page;
use crate::public::printables;
use crate::secrets::Secrets;

/// Shapes of claims, of resources, and of what an application keeps: they are made of what a proven token
/// says, of a path, or by the application, never of the token. They print what a claim set keeps to itself,
/// since they are what an application asked for.
const NEVER_OF_A_TOKEN: [&str; 18] = [
    "auth0::Actor",
    "auth0::TenantClaims",
    "embloy::claims::AccessClaims",
    "embloy::claims::ClientClaims",
    "embloy::claims::Job",
    "embloy::claims::RefreshClaims",
    "embloy::claims::RequestClaims",
    "embloy::claims::Session",
    "oclc::Institutions",
    "oclc::User",
    "respoke::Caller",
    "respoke::role::Role",
    "respoke::session::Session",
    "rocket_lawyer::parties::Access",
    "rocket_lawyer::parties::Parties",
    "rocket_lawyer::parties::Party",
    "rocket_lawyer::srv::BoundClaims",
    "rocket_lawyer::srv::Srv",
];

const TOKEN: &str = "tk_W2mVtY9zKpL4nRfD8sGj7bQxHushHush";

#[tokio::test]
async fn no_type_of_a_profile_prints_a_token() {
    let mut secrets = Secrets::default();
    secrets.add(TOKEN);
    let mut page = Page::default();

    let answer = json!({"access_token": TOKEN, "token_type": "Bearer", "expires_in": "60",
        "api_product_list": "[RocketSign]"});
    page.debug(&rocket_lawyer::IssuedToken::parse(&answer.to_string()).unwrap());
    for broken in [
        json!({"access_token": [TOKEN], "token_type": "Bearer", "expires_in": 1}),
        json!({"access_token": TOKEN, "token_type": TOKEN, "expires_in": 1}),
        json!({"access_token": TOKEN, "token_type": "Bearer", "expires_in": TOKEN}),
    ] {
        page.error(&rocket_lawyer::IssuedToken::parse(&broken.to_string()).unwrap_err());
    }
    page.debug(&respoke::Found::TokenId);
    let row = json!({"tokenId": TOKEN, "id": TOKEN, "appToken": TOKEN, "appId": "a"});
    let row = LookupAnswer::from_serialize(&row).unwrap();
    page.debug(&respoke::Found::Session(row));
    let request = Request::get(format!("/?access_token={TOKEN}&principalID=bob")).header(
        "authorization",
        format!("Bearer {TOKEN}, principalIDNS=\"n\""),
    );
    let (parts, ()) = request.body(()).unwrap().into_parts();
    page.outcome(&oclc::UnverifiedPrincipal::of(&parts));
    page.debug(&auth0::Organizations::none().known("org_9ybsU1dN2dKfDkBi"));
    secrets.hush("a profile", &page.text);

    let profiles = "portcullis::profile::";
    let known: BTreeSet<String> = printables()
        .into_iter()
        .filter_map(|known| Some(known.name.strip_prefix(profiles)?.to_owned()))
        .collect();
    for name in NEVER_OF_A_TOKEN {
        assert!(
            known.contains(name),
            "{name} prints no more: please take it off the list"
        );
    }
    let missing: BTreeSet<_> = known
        .iter()
        .filter(|name| !NEVER_OF_A_TOKEN.contains(&&***name))
        .filter(|name| !page.types.contains(&*format!("{profiles}{name}")))
        .collect();
    assert!(
        missing.is_empty(),
        "these print, and nobody looks at what: {missing:#?}"
    );
}
