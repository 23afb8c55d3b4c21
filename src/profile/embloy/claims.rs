//! What the tokens say, and which job they are for.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::Admin;
#[cfg(feature = "axum")]
use super::Request;
#[cfg(feature = "axum")]
use crate::Token;
use crate::{Permits, Role};

/// What a company pays for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[allow(missing_docs)]
pub enum Tier {
    #[serde(rename = "basic")]
    Basic,
    #[serde(rename = "premium")]
    Premium,
    #[serde(rename = "enterprise_1")]
    Enterprise1,
    #[serde(rename = "enterprise_2")]
    Enterprise2,
    #[serde(rename = "enterprise_3")]
    Enterprise3,
}

/// The claims of a [`Refresh`](super::Refresh) token.
#[derive(Clone, Debug, Deserialize)]
pub struct RefreshClaims {
    /// The user.
    pub sub: u64,
    /// The token's name, which it shares with all that were made in the same second.
    pub jti: String,
}

/// The claims of an [`Access`](super::Access) token.
#[derive(Clone, Debug, Deserialize)]
pub struct AccessClaims {
    /// The user.
    pub sub: u64,
    /// The role; handlers better ask for [`Verified`](super::Verified) and its siblings.
    pub typ: String,
    /// `mod`, such as `CompanyUser`. Absent in January 2024.
    #[serde(rename = "mod")]
    pub account: Option<String>,
    /// What the token may do where, such as `https://api.embloy.com/api/jobs.write`. Absent in
    /// January 2024.
    pub scope: Option<String>,
}

impl AccessClaims {
    /// Whether they may change what belongs to `user`: their own, or anything as admin.
    pub fn owns(&self, user: u64) -> bool {
        self.sub == user || self.typ == Admin::NAME
    }
}

/// The claims of a [`Client`](super::Client) token.
#[derive(Clone, Debug, Deserialize)]
pub struct ClientClaims {
    /// The user that stands for the company.
    pub sub: u64,
    /// Its subscription when the token was made.
    pub typ: Tier,
}

/// The claims of a [`Request`](super::Request) token.
#[derive(Clone, Debug, Deserialize)]
pub struct RequestClaims {
    /// The user that stands for the company.
    pub sub: u64,
    /// What is applied for.
    pub session: Session,
}

/// An application for a job, as the company began it.
#[derive(Clone, Debug, Deserialize)]
pub struct Session {
    /// Who manages the job.
    pub mode: Mode,
    /// The company's name of the job; `<mode>__<name>` if somebody else than Embloy manages it.
    pub job_slug: String,
    /// The `sub` of the token.
    pub user_id: u64,
    /// The company's subscription.
    pub subscription_type: Tier,
    /// Everything else, such as `success_url`: the company's own words, which nobody has judged.
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

/// Who manages a job: Embloy, or an applicant tracking system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Mode {
    Job,
    Lever,
    Ashby,
    Softgarden,
}

/// The job that a path or a body names.
#[derive(Clone, Debug, Deserialize)]
pub struct Job {
    /// As in [`Session::job_slug`].
    pub job_slug: String,
}

impl Permits<Job> for RequestClaims {
    fn permits(&self, job: &Job) -> bool {
        let slug = &self.session.job_slug;
        let prefix = match self.session.mode {
            Mode::Job => "",
            Mode::Lever => "lever__",
            Mode::Ashby => "ashby__",
            Mode::Softgarden => "softgarden__",
        };
        *slug == job.job_slug && slug.starts_with(prefix)
    }
}

/// For `Permitted<Token<Request>, Path<Job>>`.
#[cfg(feature = "axum")]
impl Permits<Job> for Token<Request> {
    fn permits(&self, job: &Job) -> bool {
        let claims = self.claims_as::<RequestClaims>();
        claims.is_ok_and(|claims| claims.permits(job))
    }
}
