//! What the gate promises about tokens it has to ask about, and what would break without.

/// All of these hold at every step of every schedule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Promise {
    /// Nobody waits for longer than the `deadline`: else requests pile up behind a slow endpoint.
    WaitIsBounded,
    /// No more calls are under way than `max_concurrent`: else a crowd of tokens drowns the endpoint.
    CallsAreBounded,
    /// One call for one token, however many show it, unless it was forgotten meanwhile; and none that
    /// no request has asked for: else one client's token becomes everybody's load.
    OneCallForOneToken,
    /// A call is made once more if its connection broke, at once and once, and else never: else a slow
    /// endpoint is asked twice for everything.
    OnlyBrokenCallsAreRepeated,
    /// After five failures in a row, or a `Retry-After`, there is no call until the pause is over, and
    /// then one probe alone: else an endpoint that comes back is knocked down again.
    OpenMeansNoCall,
    /// Nobody is turned away without a call unless the circuit is open, a probe is under way, or the
    /// line is full or too slow: else the gate is down for longer than its endpoint.
    NobodyIsTurnedAwayInVain,
    /// An outage is never a 401, and an active token never is: only the endpoint's own word refuses a
    /// token, for as long as that is remembered. Else an outage logs everybody out.
    OutageIsNo401,
    /// A token passes on the word of the endpoint alone, asked less than `remember_accepted` ago, or
    /// that and `trust_accepted_while_down` while nobody can be asked: so a revoked one passes no
    /// longer than that.
    RevokedEnds,
    /// What is forgotten is asked about anew: no request that comes later passes on an older word.
    ForgottenIsForgotten,
    /// What is remembered is answered without the clock moving, outage or not: else a slow endpoint
    /// stalls every request.
    RememberedNeverWaits,
    /// What may serve while nobody can be asked does: else an outage is felt that was provided for.
    ServesInNeed,
    /// Who is answered is told so: a call that has brought a verdict is no 503.
    AnswersCount,
    /// `Retry-After` is more than nothing and at most 30 s: else clients come back in vain, or not.
    RetryAfterIsHonest,
    /// What waits and sleeps is bounded by the requests: else an outage fills the memory.
    MemoryIsBounded,
    /// The status tells what is so.
    StatusIsTrue,
    /// Nothing runs once the gate is gone and the last call over.
    EndsWithItsHandles,
}

/// A promise that was not kept.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) promise: Promise,
    pub(crate) how: String,
}

/// # Errors
///
/// Unless `kept`.
pub(crate) fn hold(
    kept: bool,
    promise: Promise,
    how: impl FnOnce() -> String,
) -> Result<(), Broken> {
    match kept {
        true => Ok(()),
        false => Err(Broken {
            promise,
            how: how(),
        }),
    }
}
