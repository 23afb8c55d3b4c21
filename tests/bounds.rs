//! What a sender, or an issuer that means no good, can make us spend: memory bounded by what was sent,
//! work in step with it, and nothing that stays. Counted exactly, on one thread.
// A test says what must be there by taking it.
#![allow(clippy::unwrap_used)]

use allocation_counter::{AllocationInfo, measure};
use http::HeaderValue;
use portcullis::testing::{AuthorizationServer, ManualClock};
use portcullis::{
    Algorithm, Carrier, ClaimSet, JwtVerifier, Lookup, LookupAnswer, LookupVerifier,
    ResourceServer, StaticJwks, Unavailable, UnixTime, When,
};

const AUDIENCE: &str = "https://api.example.com/";
const SECRET: &str = "a secret that is long enough for HS256";

/// A store that knows nobody.
struct Empty;

impl Lookup for Empty {
    async fn look_up(&self, _: &str) -> Result<Option<ClaimSet>, Unavailable> {
        Ok(None)
    }
}

struct Gate {
    issuer: AuthorizationServer,
    server: ResourceServer,
    runtime: tokio::runtime::Runtime,
}

impl Gate {
    fn new() -> Gate {
        let clock = ManualClock::at(UnixTime::from_secs(1_795_262_400));
        let issuer = AuthorizationServer::builder().clock(clock.clone()).build();
        let jwt = JwtVerifier::builder(issuer.issuer(), AUDIENCE)
            .hmac_secret(Algorithm::HS256, SECRET)
            .build()
            .unwrap();
        let server = ResourceServer::builder()
            .clock(clock)
            .route(When::jwt(), jwt)
            .route(
                When::opaque(),
                LookupVerifier::builder(Empty).build().unwrap(),
            )
            .carrier(Carrier::bearer())
            .carrier(Carrier::header("App-Token").unwrap())
            .build()
            .unwrap();
        let mut builder = tokio::runtime::Builder::new_current_thread();
        Gate {
            issuer,
            server,
            runtime: builder.enable_time().build().unwrap(),
        }
    }

    /// What it costs to refuse a request with this header, its answer included.
    #[track_caller]
    fn refuse(&self, name: &str, value: &str) -> AllocationInfo {
        let request = http::Request::get("/").header(name, HeaderValue::from_str(value).unwrap());
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let mut refused = false;
        let cost = measure(|| {
            let outcome = self.runtime.block_on(self.server.authenticate(&mut parts));
            if let Err(error) = outcome {
                refused = true;
                drop(self.server.answer(&error));
            }
        });
        assert!(refused, "{name} of {} bytes is not refused", value.len());
        cost
    }

    /// A token of this header that nobody has signed.
    fn forged(&self, header: &str) -> String {
        let token = self.issuer.token().raw_header(header).raw_payload("{}");
        token.signature("none at all").mint()
    }

    /// A token of these claims that only the secret's owner can make: the worst that a client of the
    /// issuer can bring about.
    fn signed(&self, payload: &str) -> String {
        let token = self.issuer.token().hmac(Algorithm::HS256, SECRET);
        token.raw_payload(payload).mint()
    }
}

/// `text`, again and again, until `size` bytes.
fn fill(text: &str, size: usize) -> String {
    text.repeat(size / text.len())
}

/// JSON of about `size` bytes that costs readers most.
fn hostile_json(form: &str, size: usize) -> String {
    match form {
        "deep arrays" => fill("[", size),
        "deep objects" => fill(r#"{"a":"#, size),
        "wide" => {
            let members: Vec<String> = (0..size / 9).map(|n| format!(r#""{n:x}":0"#)).collect();
            format!("{{{}}}", members.join(","))
        }
        "repeated at the end" => {
            let wide = hostile_json("wide", size);
            format!(r#"{},"0":1}}"#, wide.trim_end_matches('}'))
        }
        "one long string" => format!(r#"{{"sub":"{}"}}"#, fill("x", size)),
        "escapes" => format!(r#"{{"sub":"{}"}}"#, fill(r"\u0041", size)),
        "a long list" => format!(r#"{{"aud":["a"{}]}}"#, fill(r#","b""#, size)),
        "a list of escapes" => format!(r#"{{"scope":["a"{}]}}"#, fill(r#","\u0062""#, size)),
        "many scopes" => format!(r#"{{"scope":"a{}"}}"#, fill(" b", size)),
        "a long number" => format!(r#"{{"exp":{}}}"#, fill("9", size)),
        "a small number" => format!(r#"{{"exp":0.{}1}}"#, fill("0", size)),
        "no end" => format!(r#"{{"sub":"{}"#, fill("x", size)),
        other => panic!("no form is {other}"),
    }
}

const FORMS: [&str; 12] = [
    "deep arrays",
    "deep objects",
    "wide",
    "repeated at the end",
    "one long string",
    "escapes",
    "a long list",
    "a list of escapes",
    "many scopes",
    "a long number",
    "a small number",
    "no end",
];

/// Holds what `cost` says of inputs of growing size to a bound: `times` bytes at once for each byte of
/// input beside `fixed`, and work that doubles with the input (and half of that again, since tables
/// grow by doubling).
#[track_caller]
fn grows_with_its_input(
    what: &str,
    (fixed, times): (u64, u64),
    sizes: [usize; 3],
    cost: impl Fn(usize) -> AllocationInfo,
) {
    // The least of several: what a memory puts in order now and then is not this input's.
    let least = |size: usize| {
        let costs = [(); 4].map(|()| cost(size));
        let [first, rest @ ..] = costs;
        rest.into_iter().fold(first, |least, cost| AllocationInfo {
            count_total: least.count_total.min(cost.count_total),
            bytes_total: least.bytes_total.min(cost.bytes_total),
            bytes_max: least.bytes_max.min(cost.bytes_max),
            ..least
        })
    };
    let costs = sizes.map(least);
    for (size, cost) in sizes.iter().zip(&costs) {
        let most = fixed + times * *size as u64;
        assert!(
            cost.bytes_max <= most,
            "{what} of {size} bytes takes {} bytes at once, wanted at most {most}",
            cost.bytes_max
        );
    }
    for pair in costs.windows(2) {
        // The count of allocations stands for the steps, their bytes for what is copied in them.
        for (smaller, larger) in [
            (pair[0].count_total, pair[1].count_total),
            (pair[0].bytes_total, pair[1].bytes_total),
        ] {
            assert!(
                larger <= smaller * 5 / 2 + fixed,
                "{what}: {smaller} becomes {larger} when the input doubles"
            );
        }
    }
}

/// An answer, an error and its sentence, wherever they come from: some hundred bytes each.
const ANSWER: u64 = 8_192;

#[test]
fn a_header_of_nonsense_costs_what_a_short_one_does() {
    let gate = Gate::new();
    for (what, form) in [
        ("letters", "a"),
        ("dots", "."),
        ("parts", "a."),
        ("commas", ","),
        ("blanks", "a "),
        ("padding", "="),
        ("quotes", "\""),
        ("percent signs", "%41"),
    ] {
        for (name, scheme) in [("authorization", "Bearer "), ("app-token", "")] {
            let cost = |size| gate.refuse(name, &format!("{scheme}{}", fill(form, size)));
            // Refused unread, or looked up and remembered: the text is never copied, but for one that a
            // store is asked about.
            grows_with_its_input(what, (ANSWER, 3), [4_000, 8_000, 16_000], cost);
        }
    }
    // Past the limit nothing looks at it.
    let long = gate.refuse("authorization", &format!("Bearer {}", fill("a.", 65_000)));
    assert!(long.bytes_max <= ANSWER, "{long:?}");
}

#[test]
fn a_hostile_header_of_a_token_costs_in_step_with_its_length() {
    let gate = Gate::new();
    for form in FORMS {
        let cost = |size: usize| {
            let token = gate.forged(&hostile_json(form, size * 3 / 4));
            gate.refuse("authorization", &format!("Bearer {token}"))
        };
        // Decoded, and its names kept to find a repeated one: 24 bytes for nine that were sent, in a table
        // that is half empty at worst.
        grows_with_its_input(form, (ANSWER, 16), [4_000, 8_000, 16_000], cost);
    }
}

#[test]
fn hostile_claims_that_are_proven_cost_in_step_with_their_length() {
    let gate = Gate::new();
    for form in FORMS {
        let cost = |size: usize| {
            let token = gate.signed(&hostile_json(form, size * 3 / 4));
            gate.refuse("authorization", &format!("Bearer {token}"))
        };
        grows_with_its_input(form, (ANSWER, 16), [4_000, 8_000, 16_000], cost);
    }
}

#[test]
fn a_hostile_claim_set_costs_in_step_with_its_length() {
    for form in FORMS {
        let cost = |size: usize| {
            let json = hostile_json(form, size);
            measure(|| drop(ClaimSet::parse(&*json)))
        };
        grows_with_its_input(form, (ANSWER, 16), [16_000, 32_000, 64_000], cost);
        let cost = |size: usize| {
            let json = hostile_json(form, size);
            measure(|| drop(LookupAnswer::parse(&json)))
        };
        // A tree of values, 32 bytes each and their names, for whoever reads any of them.
        grows_with_its_input(form, (ANSWER, 64), [16_000, 32_000, 64_000], cost);
    }
}

#[test]
fn a_hostile_key_set_costs_in_step_with_its_length() {
    type Form = fn(usize) -> String;
    let forms: [(&str, Form); 9] = [
        ("deep", |size| format!(r#"{{"keys":{}"#, fill("[", size))),
        ("wide", |size| {
            format!(r#"{{"keys":[],"x":{}}}"#, hostile_json("wide", size))
        }),
        ("one wide key", |size| {
            format!(r#"{{"keys":[{}]}}"#, hostile_json("wide", size))
        }),
        ("many keys", |size| {
            let key = r#"{"kty":"EC"},"#;
            format!(r#"{{"keys":[{}{{}}]}}"#, fill(key, size))
        }),
        ("128 large keys", |size| {
            let key = format!(
                r#"{{"kty":"EC","kid":"{}"}}"#,
                fill("k", (size / 128).saturating_sub(30))
            );
            format!(r#"{{"keys":[{}]}}"#, vec![key; 128].join(","))
        }),
        ("a huge modulus", |size| {
            format!(
                r#"{{"keys":[{{"kty":"RSA","e":"AQAB","n":"{}"}}]}}"#,
                fill("_", size)
            )
        }),
        ("a huge exponent", |size| {
            format!(
                r#"{{"keys":[{{"kty":"RSA","n":"AQAB","e":"{}"}}]}}"#,
                fill("_", size)
            )
        }),
        ("a long chain of certificates", |size| {
            format!(
                r#"{{"keys":[{{"kty":"EC","x5c":["a"{}]}}]}}"#,
                fill(r#","MIIB""#, size)
            )
        }),
        ("a long name", |size| {
            format!(
                r#"{{"keys":[{{"kty":"RSA","kid":"{}"}}]}}"#,
                fill("k", size)
            )
        }),
    ];
    for (what, form) in forms {
        let cost = |size: usize| {
            let document = form(size);
            let mut refused = false;
            let cost = measure(|| refused = StaticJwks::from_json(&document).is_err());
            assert!(refused, "{what} is a key set");
            cost
        };
        // A tree of values, copied once for the key that is read.
        grows_with_its_input(
            what,
            (4 * ANSWER, 96),
            [64 * 1024, 128 * 1024, 256 * 1024],
            cost,
        );
    }
}

#[test]
fn a_hundred_thousand_bad_tokens_leave_nothing_that_is_not_bounded() {
    const FLOOD: u64 = 100_000;
    let gate = Gate::new();
    let show = |from: u64, to: u64| {
        let counted = measure(|| {
            for n in from..to {
                let token = match n % 4 {
                    0 => format!("Bearer made-up-{n}"),
                    1 => format!("Bearer {n}.made.up"),
                    2 => {
                        let header = format!(r#"{{"alg":"HS256","typ":"at+jwt","kid":"{n}"}}"#);
                        format!("Bearer {}", gate.forged(&header))
                    }
                    _ => format!("Bearer {n}.{n}"),
                };
                let request = http::Request::get("/").header("authorization", token);
                let (mut parts, ()) = request.body(()).unwrap().into_parts();
                let outcome = gate.runtime.block_on(gate.server.authenticate(&mut parts));
                assert!(outcome.is_err());
            }
        });
        counted.bytes_current
    };
    // The memories of refusals are full after these.
    let filled = show(0, FLOOD / 2);
    let more = show(FLOOD / 2, FLOOD);
    // 1,000 refusals of opaque tokens, and what a thread keeps of the last headers.
    assert!(filled <= 4 * 1024 * 1024, "{filled} bytes stay");
    assert!(more <= 64 * 1024, "{more} bytes more stay of as many again");
}
