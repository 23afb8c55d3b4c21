//! Confusion matrix: every kind of token, in every place, before every guard.

use std::fmt::Write as _;

use axum::Router;
use axum::routing::MethodRouter;
use http::{Request, request};
use portcullis::ResourceServer;

use crate::service::{bearer, call};

/// A token, and of which kind it is.
pub struct Specimen {
    pub kind: &'static str,
    /// The names of the places it is good in; none if it is good nowhere.
    pub places: &'static [&'static str],
    pub token: String,
}

/// Where in a request a token is shown.
pub struct Place {
    name: &'static str,
    show: Box<Show>,
}

type Show = dyn Fn(request::Builder, &str) -> request::Builder;

impl Place {
    pub fn new(
        name: &'static str,
        show: impl Fn(request::Builder, &str) -> request::Builder + 'static,
    ) -> Place {
        Place {
            name,
            show: Box::new(show),
        }
    }

    /// `Authorization: Bearer token`.
    pub fn bearer() -> Place {
        let show =
            |request: request::Builder, token: &str| request.header("authorization", bearer(token));
        Place::new("Bearer", show)
    }

    /// `Authorization: scheme token`.
    pub fn scheme(scheme: &'static str) -> Place {
        Place::new(scheme, move |request, token| {
            request.header("authorization", format!("{scheme} {token}"))
        })
    }

    /// The header `name`, which holds the token and nothing else.
    pub fn header(name: &'static str) -> Place {
        Place::new(name, move |request, token| request.header(name, token))
    }

    /// The query parameter `name`.
    pub fn query(name: &'static str) -> Place {
        Place::new(name, move |request, token| {
            let mut uri = format!("{}?{name}=", request.uri_ref().unwrap());
            for byte in token.bytes() {
                match byte {
                    b'-' | b'.' | b'_' | b'~' => uri.push(byte.into()),
                    _ if byte.is_ascii_alphanumeric() => uri.push(byte.into()),
                    _ => write!(uri, "%{byte:02X}").unwrap(),
                }
            }
            request.uri(uri)
        })
    }

    /// The query parameter `name` of a WebSocket handshake.
    pub fn websocket_query(name: &'static str) -> Place {
        let query = Place::query(name);
        Place::new(name, move |request, token| {
            let request = request.header("connection", "upgrade");
            (query.show)(request.header("upgrade", "websocket"), token)
        })
    }
}

/// The kinds a handler admits, and the handler.
pub type Guard = (&'static [&'static str], MethodRouter);

/// What is shown where, and to whom.
pub struct Matrix {
    pub places: Vec<Place>,
    pub specimens: Vec<Specimen>,
    pub guards: Vec<Guard>,
    /// The kinds that sit in the second slot of the server, if it has one.
    pub second_slot: &'static [&'static str],
}

impl Matrix {
    /// Shows each specimen in each place to each guard, and demands that only the right kind in the
    /// right place gets through.
    pub async fn hold(&self, server: &ResourceServer) {
        let mut service = Router::new();
        for (number, (_, guard)) in self.guards.iter().enumerate() {
            service = service.route(&format!("/{number}"), guard.clone());
        }
        // What is missing is then the guard's own business.
        let mut gates = vec![service.clone().layer(server.optional_layer())];
        // What is in the second slot alone is no credential for the first.
        if self.second_slot.is_empty() {
            gates.push(service.layer(server.layer()));
        }
        for gate in &gates {
            let mut passed = 0;
            for specimen in &self.specimens {
                for place in &self.places {
                    for (number, (admits, _)) in self.guards.iter().enumerate() {
                        // Cold, and as the cache remembers it.
                        for _ in 0..2 {
                            let status = show(gate, number, place, specimen, admits).await;
                            let wanted = self.wanted(place, specimen, admits);
                            assert!(
                                wanted.contains(&status),
                                "a {} token in {} for {admits:?} is {status}, wanted {wanted:?}",
                                specimen.kind,
                                place.name
                            );
                            passed += usize::from(status == 200);
                        }
                    }
                }
            }
            assert_eq!(passed, 2 * self.pairs());
        }
    }

    /// The statuses that are right.
    fn wanted(&self, place: &Place, specimen: &Specimen, admits: &[&str]) -> &'static [u16] {
        let is_second = |kind: &str| self.second_slot.contains(&kind);
        let right_slot = admits.iter().any(|kind| is_second(kind)) == is_second(specimen.kind);
        if !specimen.places.contains(&place.name) {
            // Nothing has been proven, or more has been said than was proven.
            &[400, 401, 403]
        } else if admits.contains(&specimen.kind) {
            &[200]
        } else if right_slot {
            // It is known who asks, and another token of the same kind would be no better.
            &[403]
        } else {
            // The other slot is empty.
            &[401]
        }
    }

    /// How many pairs of a specimen in a place and a guard are right, counted without any server.
    fn pairs(&self) -> usize {
        let of = |specimen: &Specimen| {
            let admit = |(admits, _): &&Guard| admits.contains(&specimen.kind);
            specimen.places.len() * self.guards.iter().filter(admit).count()
        };
        let pairs = self.specimens.iter().map(of).sum();
        assert!(pairs > 0, "nobody should get through at all");
        pairs
    }
}

/// The status that the guard answers, having told nobody the token.
async fn show(
    gate: &Router,
    guard: usize,
    place: &Place,
    specimen: &Specimen,
    admits: &[&str],
) -> u16 {
    let request = (place.show)(Request::get(format!("/{guard}")), &specimen.token);
    let answer = call(gate, request).await;
    let told = format!("{} {:?}", answer.body, answer.headers);
    let (kind, place) = (specimen.kind, place.name);
    assert!(
        !told.contains(&specimen.token),
        "a {kind} token in {place} for {admits:?} is echoed"
    );
    answer.status
}
