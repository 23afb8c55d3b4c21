//! Where keys come from, and how one of them proves a signature.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::compact::{Compact, Part, Room};
use super::header::Header;
use crate::algorithm::Algorithm;
use crate::error::{Error, Reason};
use crate::jwks::{Key, KeySet, Miss, Newest, Prepared, RemoteJwks, StaticJwks};
use crate::lease::Lease;
use crate::status::Status;
use crate::verify::Moment;

/// Where a verifier finds its keys: [`StaticJwks`] or [`RemoteJwks`].
pub struct Keys(pub(crate) Source);

pub(crate) enum Source {
    Fixed(StaticJwks),
    Remote(RemoteJwks),
    /// With what stands for the secret when two verifiers are compared.
    Secret(Algorithm, Arc<Prepared>, [u8; 32]),
}

impl From<StaticJwks> for Keys {
    fn from(keys: StaticJwks) -> Keys {
        Keys(Source::Fixed(keys))
    }
}

impl From<RemoteJwks> for Keys {
    fn from(keys: RemoteJwks) -> Keys {
        Keys(Source::Remote(keys))
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Fixed(keys) => keys.fmt(f),
            Source::Remote(keys) => keys.fmt(f),
            Source::Secret(algorithm, ..) => write!(f, "Secret({algorithm}, [redacted])"),
        }
    }
}

/// A JWS that was taken apart. Nothing in it is proven.
pub(crate) struct Signed<'a> {
    compact: Compact<'a>,
    pub(crate) header: Header<'a>,
    signature: &'a [u8],
}

impl<'a> Signed<'a> {
    /// Takes apart what needs no key. `room` is for the signature.
    pub(crate) fn new(
        compact: Compact<'a>,
        header: Header<'a>,
        room: &'a mut Room,
    ) -> Result<Signed<'a>, Error> {
        Ok(Signed {
            signature: room.decode(Part::Signature, compact.signature)?,
            header,
            compact,
        })
    }

    fn kid(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// Proves the signature with the key of `set` that it names.
    fn proven_by<'k>(
        &'k self,
        set: &'k KeySet,
        allowed: &'k [Algorithm],
    ) -> Result<Result<Lease, Error>, Miss<'k>> {
        let found = set.select(self.kid(), self.header.algorithm, allowed)?;
        Ok(Found::of(found)
            .proves(self)
            .map(|()| found.0.lease().clone()))
    }
}

/// The keys at hand, as long as somebody looks at them. Not to be held while something is waited for.
pub(crate) enum Held<'a> {
    Secret(&'a Prepared),
    Fixed(&'a KeySet),
    Remote(&'a RemoteJwks, Newest),
}

/// The key that a token is to be proven with.
pub(crate) struct Found<'a> {
    prepared: &'a Prepared,
    lease: Option<&'a Lease>,
}

impl<'a> Held<'a> {
    /// The key that the header names; no signature is looked at.
    pub(crate) fn find<'k>(
        &'k self,
        header: &'k Header<'_>,
        allowed: &'k [Algorithm],
        moment: &Moment<'_>,
    ) -> Result<Found<'k>, Unproven> {
        let (set, remote) = match self {
            Held::Secret(prepared) => {
                let lease = None;
                return Ok(Found { prepared, lease });
            }
            Held::Fixed(set) => (*set, None),
            Held::Remote(keys, newest) => {
                let snapshot = newest.trusted(moment.now()).ok_or(Unproven::Wait)?;
                (&*snapshot.set, Some(keys))
            }
        };
        let kid = header.kid.as_deref();
        match (set.select(kid, header.algorithm, allowed), remote) {
            (Ok(found), _) => Ok(Found::of(found)),
            (Err(Miss::Unknown(_)), Some(keys)) => match keys.known_absent(kid, moment) {
                Some(error) => Err(Unproven::Refused(error)),
                None => Err(Unproven::Wait),
            },
            (Err(miss), _) => Err(Error::from(miss).into()),
        }
    }
}

impl<'a> Found<'a> {
    fn of((key, prepared): (&'a Key, &'a Prepared)) -> Found<'a> {
        let lease = Some(key.lease());
        Found { prepared, lease }
    }

    /// Proves a signature.
    pub(crate) fn proves(&self, signed: &Signed<'_>) -> Result<(), Error> {
        let message = signed.compact.signed.as_bytes();
        match self.prepared.verifies(message, signed.signature) {
            true => Ok(()),
            false => Err(Error::new(Reason::Signature, "signature does not match")),
        }
    }

    /// What is lent to whatever it proves, if it may be withdrawn.
    pub(crate) fn lease(&self) -> Option<Lease> {
        self.lease.cloned()
    }
}

impl Source {
    /// The keys at hand.
    pub(crate) fn held(&self, moment: &Moment<'_>) -> Held<'_> {
        match self {
            Source::Secret(_, secret, _) => Held::Secret(secret),
            Source::Fixed(keys) => Held::Fixed(&keys.set),
            Source::Remote(keys) => Held::Remote(keys, keys.newest(moment)),
        }
    }

    /// Proves a signature, and lends what proved it, if that may be withdrawn. Waits for a newer set if
    /// that might have the key.
    pub(crate) async fn prove(
        &self,
        signed: &Signed<'_>,
        allowed: &[Algorithm],
        moment: &Moment<'_>,
    ) -> Result<Option<Lease>, Error> {
        let now = || -> Result<Option<Lease>, Unproven> {
            let held = self.held(moment);
            let found = held.find(&signed.header, allowed, moment)?;
            found.proves(signed)?;
            Ok(found.lease())
        };
        match (now(), self) {
            (Ok(lease), _) => Ok(lease),
            (Err(Unproven::Refused(error)), _) => Err(error),
            (Err(Unproven::Wait), Source::Remote(keys)) => {
                renewed(keys, signed, allowed, moment).await.map(Some)
            }
            // Only a key of a remote set is ever waited for.
            (Err(Unproven::Wait), _) => {
                let why = "the key set has no such key";
                Err(Error::new(Reason::UnknownKey, why))
            }
        }
    }

    /// Brings the keys beforehand.
    pub(crate) async fn ready(&self, moment: &Moment<'_>) -> Result<(), Error> {
        match self {
            Source::Remote(keys) if keys.newest(moment).trusted(moment.now()).is_none() => {
                keys.renewed(None, &|_| true, moment).await
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn report(&self, moment: &Moment<'_>, status: &mut Status) {
        if let Source::Remote(keys) = self {
            status.keys.push(keys.status(moment.now()));
        }
    }
}

/// Proves a signature with a set that is newer than the one that lacks its key.
async fn renewed(
    keys: &RemoteJwks,
    signed: &Signed<'_>,
    allowed: &[Algorithm],
    moment: &Moment<'_>,
) -> Result<Lease, Error> {
    let has = |set: &KeySet| {
        let found = set.select(signed.kid(), signed.header.algorithm, allowed);
        !matches!(found, Err(Miss::Unknown(_)))
    };
    keys.renewed(signed.kid(), &has, moment).await?;
    let moment = Moment::of(moment.clock());
    let newest = keys.newest(&moment);
    let Some(snapshot) = newest.trusted(moment.now()) else {
        let error = Error::new(Reason::KeysUnavailable, "the issuer's keys are too old");
        return Err(error.with_retry_after(Duration::from_secs(5)));
    };
    signed
        .proven_by(&snapshot.set, allowed)
        .unwrap_or_else(|miss| {
            if matches!(miss, Miss::Unknown(_)) {
                keys.note_absent(snapshot, signed.kid());
            }
            Err(miss.into())
        })
}

/// Why a signature is not proven at once.
pub(crate) enum Unproven {
    Refused(Error),
    /// A newer set might have the key.
    Wait,
}

impl From<Error> for Unproven {
    fn from(error: Error) -> Unproven {
        Unproven::Refused(error)
    }
}

impl From<Miss<'_>> for Error {
    fn from(miss: Miss<'_>) -> Error {
        let reason = match &miss {
            Miss::Unknown(..) | Miss::Ambiguous(..) => Reason::UnknownKey,
            Miss::Unfit(..) => Reason::Algorithm,
        };
        Error::saying(reason, format_args!("{miss}"))
    }
}
