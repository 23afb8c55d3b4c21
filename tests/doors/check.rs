//! Sends a row through every door, cold and again, and compares what comes out with what the row
//! says and with what the other doors say.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use portcullis::testing::{Endpoint, ManualClock};
use portcullis::{Clock, ResourceServer};
use serde_json::Value;

use crate::challenge;
use crate::door::{Answer, Door, Gate};
use crate::row::{Expect, Row, Setup, Step};
use crate::setup;
use crate::world::{World, algorithm};

/// The doors that a row goes through.
pub(crate) fn doors_of(row: &Row) -> impl Iterator<Item = Door> + use<> {
    let optional = row.server == Setup::Optional;
    // No extractor is both without a layer and open to strangers.
    let stands = move |door: &Door| !(optional && *door == Door::Layerless);
    Door::ALL.into_iter().filter(stands)
}

/// Runs a row. Returns what was wrong, a paragraph each; `told` hears each answer, a line each.
pub(crate) async fn run(row: &Row, told: fn(&str)) -> Vec<String> {
    let mut world = World::of(row).await;
    let request = world.request(row);
    let optional = row.server == Setup::Optional;
    let doors: Vec<(Door, ResourceServer)> = doors_of(row)
        .map(|door| (door, setup::server(row.server, &world)))
        .collect();

    let mut faults = Vec::new();
    let again = (1..=2).map(|time| (format!("request {time}"), &row.expect, None));
    let later = row.then.iter().enumerate().map(|(place, step)| {
        let phase = format!("step {} afterwards", place + 1);
        (phase, &step.expect, Some(step))
    });
    for (phase, expect, step) in again.chain(later) {
        if let Some(step) = step {
            take(step, &world).await;
        }
        let mut found = Vec::new();
        let mut answers: Vec<(Door, Answer)> = Vec::new();
        for (door, server) in &doors {
            world.take_asked();
            let gate = Gate {
                server,
                carriers: setup::carriers(row.server),
                optional,
            };
            let entering = gate.enter(*door, row.needs, request.build());
            let Some(answer) = drive(&world.clock, entering).await else {
                found.push(format!("door {door:?}: no answer came"));
                continue;
            };
            told(&format!("{}, {phase}, {}", row.name, line(*door, &answer)));
            let mut wrong = judge(row, *door, expect, &answer, &world);
            wrong.extend(judge_asked(expect, phase == "request 2", &world));
            wrong.extend(answers.first().and_then(|(_, one)| differs(one, &answer)));
            found.extend(wrong.iter().map(|fault| format!("door {door:?}: {fault}")));
            answers.push((*door, answer));
        }
        if !found.is_empty() {
            faults.push(describe(row, &phase, expect, &found, &answers));
        }
    }
    faults
}

async fn take(step: &Step, world: &World) {
    if step.revoke {
        assert!(world.issuer.revoke(&world.token));
    }
    if let Some(name) = &step.withdraw {
        world.issuer.withdraw(&world.issuer.kid(algorithm(name)));
    }
    if step.publish {
        world.issuer.publish_jwk(world.key.clone());
    }
    if step.calm {
        world.calm();
        world.issuer.restart().await.unwrap();
    }
    world.make_trouble(&step.trouble);
    // Wake by wake, so that whoever sleeps again and again lives through it all.
    let end = world.clock.now() + Duration::from_secs(step.advance);
    while let Some(wake) = world.clock.next_wake().filter(|wake| *wake < end) {
        world.clock.set(wake);
        settle().await;
    }
    world.clock.set(end);
    settle().await;
}

fn describe(
    row: &Row,
    phase: &str,
    expect: &Expect,
    faults: &[String],
    answers: &[(Door, Answer)],
) -> String {
    let lines: Vec<&str> = row.line.iter().collect();
    let mut text = format!("row {:?} ({}), {phase}:\n", row.name, lines.join(" "));
    for fault in faults {
        text += &format!("  {fault}\n");
    }
    text += &format!("  wanted: {expect:?}\n  why: {}\n", row.why);
    for (door, answer) in answers {
        text += &format!("  {}\n", line(*door, answer));
    }
    text
}

/// What was answered at a door, and why, where that door tells.
fn line(door: Door, answer: &Answer) -> String {
    let challenges = shown(answer, WWW_AUTHENTICATE);
    let mut text = format!(
        "{door:?} answered: {} {challenges:?} {}",
        answer.status, answer.body
    );
    if let Some(error) = &answer.error {
        text += &format!(", because: {}: {error}", error.reason().label());
    }
    text
}

fn shown(answer: &Answer, name: http::HeaderName) -> Vec<&str> {
    let values = answer.headers.get_all(name).into_iter();
    values
        .map(|value| value.to_str().unwrap_or("no ASCII"))
        .collect()
}

/// Lets `work` run; turns the clock when everybody waits for it. `None` if nobody does.
async fn drive<T>(clock: &ManualClock, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let patience = clock.now() + Duration::from_secs(120);
    loop {
        for _ in 0..32 {
            let polled = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await;
            if let Poll::Ready(done) = polled {
                return Some(done);
            }
            tokio::task::yield_now().await;
        }
        clock.set(clock.next_wake().filter(|wake| *wake < patience)?);
    }
}

/// Lets tasks in the background come to rest.
async fn settle() {
    for _ in 0..32 {
        tokio::task::yield_now().await;
    }
}

/// What must be the same at all doors.
fn differs(one: &Answer, other: &Answer) -> Option<String> {
    let challenges = |answer: &Answer| {
        let values = answer.headers.get_all(WWW_AUTHENTICATE);
        values.into_iter().cloned().collect::<Vec<_>>()
    };
    if one.status != other.status {
        return Some("another status than at the first door".to_owned());
    }
    if challenges(one) != challenges(other) {
        return Some("another challenge than at the first door".to_owned());
    }
    if one.body != other.body {
        return Some("another body than at the first door".to_owned());
    }
    let retry = |answer: &Answer| answer.headers.contains_key(RETRY_AFTER);
    (retry(one) != retry(other)).then(|| "another Retry-After than at the first door".to_owned())
}

/// Holds an answer against the row.
fn judge(row: &Row, door: Door, expect: &Expect, answer: &Answer, world: &World) -> Vec<String> {
    let mut faults = Vec::new();
    let mut check = |right: bool, fault: &dyn Fn() -> String| {
        if !right {
            faults.push(fault());
        }
    };
    check(answer.status == expect.status, &|| {
        format!("status is {}", answer.status)
    });
    let succeeds = expect.status == 200;
    check(answer.reached == succeeds, &|| {
        format!("the operation ran: {}", answer.reached)
    });
    check(answer.unmarked.is_empty(), &|| {
        format!("{:?} are not marked sensitive", answer.unmarked)
    });
    let secrets = || world.secrets.iter();
    let heads = format!("{:?}", answer.headers);
    check(!secrets().any(|secret| heads.contains(secret)), &|| {
        "a header holds the credential".to_owned()
    });
    check(
        !secrets().any(|secret| answer.body.contains(secret)),
        &|| "the body holds the credential".to_owned(),
    );
    if let Some(error) = &answer.error {
        let text = format!("{error} {error:?}");
        check(!secrets().any(|secret| text.contains(secret)), &|| {
            format!("the error holds the credential: {text}")
        });
        if let Some(reason) = &expect.reason {
            check(error.reason().label() == reason, &|| {
                format!("reason is {}", error.reason().label())
            });
        }
    }
    match succeeds {
        // All else would be wrong, too, and say nothing new.
        _ if answer.status != expect.status => {}
        true => faults.extend(judge_success(row, door, expect, answer)),
        false => faults.extend(judge_refusal(expect, answer)),
    }
    faults
}

fn judge_success(row: &Row, door: Door, expect: &Expect, answer: &Answer) -> Vec<String> {
    let Ok(facts) = serde_json::from_str::<Value>(&answer.body) else {
        return vec!["the body is not the operation's".to_owned()];
    };
    let mut faults: Vec<String> = [
        ("principal", &expect.principal),
        ("subject", &expect.subject),
        ("client", &expect.client),
        ("scopes", &expect.scopes),
        ("permissions", &expect.permissions),
        ("kind", &expect.kind),
    ]
    .into_iter()
    .filter(|(name, wanted)| {
        wanted
            .as_ref()
            .is_some_and(|wanted| facts[name] != **wanted)
    })
    .map(|(name, _)| format!("{name} is {}", facts[name]))
    .collect();
    if facts["stranger"].as_bool().unwrap_or(false) != expect.stranger {
        faults.push(format!("who asks is {facts}"));
    }
    for name in [WWW_AUTHENTICATE, RETRY_AFTER] {
        if answer.headers.contains_key(&name) {
            faults.push(format!("a success has {name}"));
        }
    }
    // RFC 9111 §3.5, RFC 6750 §2.3: caches know of no credential outside of Authorization. The
    // function, and the extractor without a layer, make no response of their own.
    let layered = matches!(door, Door::Tower | Door::Router);
    let elsewhere = setup::carriers(row.server) != ["authorization"];
    let private = layered && (elsewhere || row.server == Setup::Websocket);
    let wanted = private.then_some("private");
    let found = shown(answer, CACHE_CONTROL);
    if found != wanted.into_iter().collect::<Vec<_>>() {
        faults.push(format!("cache-control is {found:?}, wanted {wanted:?}"));
    }
    faults
}

fn judge_refusal(expect: &Expect, answer: &Answer) -> Vec<String> {
    let mut faults = Vec::new();
    if let Err(fault) = judge_challenge(expect, answer) {
        faults.push(fault);
    }
    let mut head = |name: http::HeaderName, wanted: Option<&str>| {
        let found = shown(answer, name.clone());
        if found != wanted.into_iter().collect::<Vec<_>>() {
            faults.push(format!("{name} is {found:?}, wanted {wanted:?}"));
        }
    };
    head(CONTENT_TYPE, Some("application/problem+json"));
    head(CACHE_CONTROL, Some("no-store"));
    match (expect.status, &expect.retry_after) {
        (503, Some(seconds)) => head(RETRY_AFTER, Some(seconds)),
        (503, None) => {
            let found = shown(answer, RETRY_AFTER);
            let seconds = found.first().and_then(|text| text.parse::<u64>().ok());
            if found.len() != 1 || !seconds.is_some_and(|s| (1..=60).contains(&s)) {
                faults.push(format!("retry-after is {found:?}, wanted seconds"));
            }
        }
        _ => head(RETRY_AFTER, None),
    }
    let Ok(problem) = serde_json::from_str::<Value>(&answer.body) else {
        faults.push("the body is no problem document".to_owned());
        return faults;
    };
    if problem["status"] != expect.status {
        faults.push("the body has another status".to_owned());
    }
    if problem["error"].as_str() != expect.error.as_deref() {
        faults.push("the body has another error".to_owned());
    }
    if let Some(words) = &expect.description
        && problem["detail"] != **words
    {
        faults.push(format!("the body says {}", problem["detail"]));
    }
    faults
}

/// RFC 6750 §3: which refusals are challenged, and with what.
fn judge_challenge(expect: &Expect, answer: &Answer) -> Result<(), String> {
    let found = shown(answer, WWW_AUTHENTICATE);
    let challenged = matches!(expect.status, 400 | 401) || expect.error.is_some();
    if !challenged {
        return match found.is_empty() {
            true => Ok(()),
            false => Err("no challenge was wanted".to_owned()),
        };
    }
    let [value] = found[..] else {
        return Err(format!("there are {} challenges, wanted one", found.len()));
    };
    let parameters = challenge::read(value)?;
    let parameter = |name: &str| {
        let found = parameters.iter().find(|(known, _)| known == name);
        found.map(|(_, text)| text.as_str())
    };
    let realm = expect.realm.as_deref().unwrap_or("api");
    for (name, wanted) in [
        ("realm", Some(realm)),
        ("error", expect.error.as_deref()),
        ("scope", expect.scope.as_deref()),
    ] {
        if parameter(name) != wanted {
            return Err(format!(
                "{name} is {:?}, wanted {wanted:?}",
                parameter(name)
            ));
        }
    }
    let words = parameter("error_description");
    if words.is_some() != expect.error.is_some() {
        return Err(format!("error_description is {words:?}"));
    }
    match (&expect.description, words) {
        (Some(wanted), Some(words)) if wanted != words => {
            Err(format!("error_description is {words:?}"))
        }
        _ => Ok(()),
    }
}

/// Who may be asked, and how: nobody for a malformed request; the issuer alone; introspection by
/// POST with the token in the body and nowhere else; again at once only after an outage.
fn judge_asked(expect: &Expect, again: bool, world: &World) -> Vec<String> {
    let mut faults = Vec::new();
    let asked = world.take_asked();
    let nobody = match (expect.status, &expect.error) {
        (400, _) | (401, None) => true,
        _ => expect.stranger,
    };
    if nobody && !asked.is_empty() {
        faults.push("somebody was asked about no credential".to_owned());
    }
    let endpoint = world.issuer.introspection_endpoint();
    let known = Endpoint::ALL
        .iter()
        .map(|endpoint| world.issuer.url(*endpoint))
        .collect::<Vec<_>>();
    for request in &asked {
        let uri = request.uri().to_string();
        if !known.contains(&uri) {
            faults.push(format!("{uri} was asked, which is not the issuer's"));
        }
        if uri != endpoint {
            continue;
        }
        let headers = request.headers();
        let body = String::from_utf8_lossy(request.body());
        let basic = headers.get(AUTHORIZATION);
        let proves = basic.is_some_and(HeaderValue::is_sensitive)
            || body.contains("&client_secret=")
            || body.contains("&client_assertion=");
        let form = headers[CONTENT_TYPE] == "application/x-www-form-urlencoded";
        if request.method() != "POST" || !form || !proves || !body.starts_with("token=") {
            faults.push("introspection was not asked by RFC 7662".to_owned());
        }
        if again && expect.status != 503 && !expect.asked_again {
            faults.push("introspection was asked again at once".to_owned());
        }
    }
    faults
}
