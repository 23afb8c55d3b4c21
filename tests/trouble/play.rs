//! One trouble from its beginning to recovery, with clients all the while.

use std::time::{Duration, Instant};

use portcullis::testing::Trouble;
use tokio::time::{sleep, sleep_until};

use super::client::{Answer, Client, join_all};
use super::load::{CLIENTS, Load, Outcome};
use super::table::Row;
use super::world::{INTERVAL, LIFETIME, Needs, Sort, World};

/// How long a request may wait for keys, by default.
const WAIT: Duration = Duration::from_secs(2);
/// What a slow machine may add to it.
const SLACK: Duration = Duration::from_secs(4);
/// How long everything is well at first.
const CALM: Duration = Duration::from_millis(1500);
/// How long made-up tokens are shown, and how long each client rests in between.
const FLOOD: Duration = Duration::from_secs(3);
const REST: Duration = Duration::from_millis(20);

/// How many clients show made-up tokens. Most that need keys wait for them.
fn flooders(needs: Needs) -> usize {
    match needs {
        Needs::Keys => 12,
        Needs::Word => 4,
    }
}

/// A trouble to play.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) sort: Sort,
    /// Of one fetch of keys.
    pub(crate) deadline: Duration,
    /// Whether it is one at all.
    pub(crate) is_harmless: bool,
}

impl Case {
    pub(crate) fn of(name: &'static str, sort: Sort) -> Case {
        Case {
            name,
            sort,
            deadline: Duration::from_secs(1),
            is_harmless: false,
        }
    }

    pub(crate) async fn play(self, needs: Needs) -> Row {
        let mut row = Row {
            trouble: self.name.to_owned(),
            ..Row::default()
        };
        // About an opaque token a request waits for as long as the issuer may take.
        let deadline = match needs {
            Needs::Word if !self.is_harmless => Duration::from_secs(1),
            _ => self.deadline,
        };
        let mut world = World::of(needs, &self.sort, deadline).await;
        let mut client = Client::of(&world.gate.base);
        let (known, unseen) = world.known().await;
        for token in &known {
            if let Err(why) = until_known(&mut client, token, SLACK).await {
                row.faults.push(format!("at first: {why}"));
                return row;
            }
        }
        let unseen_before = unseen.len();
        let load = Load::start(&world.gate.base, known, unseen);
        let calm = Instant::now();
        sleep(CALM).await;
        row.pace.0 = load.made() as f64 / calm.elapsed().as_secs_f64();

        let new = world.new_token().await;
        world.begin().await;
        let begun = Instant::now();
        let (made, asked) = (load.made(), world.asked());
        self.show_unknown(&mut client, &new, &mut row).await;
        self.flood(needs, &world, &mut row).await;
        // Known keys outlive their lifetime; so does what was made up not live for it.
        let lasts = match needs {
            Needs::Keys => LIFETIME + INTERVAL,
            Needs::Word => FLOOD + INTERVAL,
        };
        sleep_until((begun + lasts).into()).await;
        self.show_unknown(&mut client, &new, &mut row).await;
        for token in world.forged() {
            let answer = client.show("/", &token).await;
            let status = answer.map(|answer| answer.status);
            row.demand(matches!(status, Ok(401 | 503)), || {
                format!("forged: {status:?}")
            });
        }
        row.lasted = begun.elapsed();
        row.pace.1 = (load.made() - made) as f64 / row.lasted.as_secs_f64();
        row.asked = world.asked() - asked;
        row.made_up = world.made_up_so_far();
        self.judge_asked(needs, &mut row);

        let mut load = Some(load);
        if let Sort::Signal("KILL") = self.sort {
            // It comes back with other keys, and what it knew before is withdrawn with that.
            let outcome = load.take().expect("it runs").end().await;
            self.judge_load(outcome, unseen_before, &mut row);
        }
        if world.end().await && !self.is_harmless {
            let ended = Instant::now();
            let good = world.good_at_last(&new);
            // One attempt may still be under way.
            let most = self.longest_pause(needs, &row) + self.deadline + SLACK;
            match until_known(&mut client, good, most).await {
                Ok(()) => row.recovered = Some(ended.elapsed()),
                Err(why) => row.faults.push(format!("not recovered: {why}")),
            }
            let made_up = world.made_up();
            let answer = until_judged(&mut client, &made_up, SLACK).await;
            row.demand(answer == Ok(401), || {
                format!("made up, after recovery: {answer:?}")
            });
        }
        if let Some(load) = load {
            self.judge_load(load.end().await, unseen_before, &mut row);
        }
        self.judge_sent(&world, &mut row);
        row
    }

    /// How long the gate may leave the issuer alone before it asks again.
    fn longest_pause(&self, needs: Needs, row: &Row) -> Duration {
        let longest = match needs {
            // Doubled with each fetch that failed.
            Needs::Keys => INTERVAL * 2u32.saturating_pow((row.asked as u32).saturating_sub(1)),
            // Doubled with each probe that failed, and up to 20 % shorter by chance: it is as long as
            // all pauses before it and a second.
            Needs::Word => row.lasted.div_f64(0.8) + Duration::from_secs(1),
        };
        // It may have asked for more itself.
        longest.max(Duration::from_secs(2))
    }

    /// Shows a good token that nobody can judge without the issuer.
    async fn show_unknown(&self, client: &mut Client, token: &str, row: &mut Row) {
        let answer = match client.show("/", token).await {
            Ok(answer) => answer,
            Err(why) => return row.faults.push(format!("unknown: {why}")),
        };
        let (status, after, took) = (answer.status, answer.retry_after(), answer.took);
        let wanted = if self.is_harmless { 200 } else { 503 };
        row.demand(status == wanted, || format!("unknown: {}", said(&answer)));
        let is_honest = match status {
            503 => after.is_some_and(|after| (1..=60).contains(&after)),
            _ => after.is_none(),
        };
        row.demand(is_honest, || format!("unknown: Retry-After is {after:?}"));
        row.demand(took < WAIT + SLACK, || format!("unknown: after {took:?}"));
        if row.unknown.is_none_or(|(.., slowest)| slowest < took) {
            row.unknown = Some((status, after, took));
        }
    }

    /// Shows as many made-up tokens as some clients can.
    async fn flood(&self, needs: Needs, world: &World, row: &mut Row) {
        let ends = Instant::now() + FLOOD;
        let wanted = if self.is_harmless { 401 } else { 503 };
        let flooder = async || {
            let mut client = Client::of(&world.gate.base);
            let mut faults = Vec::new();
            while Instant::now() < ends {
                match client.show("/", &world.made_up()).await {
                    Ok(answer) if answer.status != wanted => faults.push(said(&answer)),
                    Ok(answer) if answer.took >= WAIT + SLACK => {
                        faults.push(format!("after {:?}", answer.took));
                    }
                    Ok(_) => {}
                    Err(why) => faults.push(why),
                }
                sleep(REST).await;
            }
            faults
        };
        let flooders = (0..flooders(needs)).map(|_| Box::pin(flooder()));
        for faults in join_all(flooders).await {
            let faults = faults.into_iter().take(3);
            row.faults
                .extend(faults.map(|fault| format!("made up: {fault}")));
        }
    }

    /// However many ask, the issuer is not asked more often than was said.
    fn judge_asked(&self, needs: Needs, row: &mut Row) {
        let most = match needs {
            // The pause is 20 % shorter by chance; the first fetch waits for nobody.
            Needs::Keys => {
                let pause = INTERVAL.mul_f64(0.8);
                2 + row.lasted.div_duration_f64(pause) as u64
            }
            // Once for each token, as long as there are answers; a redirect is one.
            Needs::Word if self.is_harmless || matches!(self.sort, Sort::Redirects) => {
                3 + row.made_up
            }
            // Five failures in a row open the circuit, and everybody may have asked by then; the
            // pauses after that are of 1, 2 and 4 seconds and a little less, with one probe each.
            // Where the connection breaks each call is made twice.
            Needs::Word => {
                let breaks = match &self.sort {
                    Sort::Breaks(_) => true,
                    Sort::Answers(trouble) => [Trouble::HangUp, Trouble::Reset].contains(trouble),
                    _ => false,
                };
                (1 + u64::from(breaks)) * (5 + flooders(needs) as u64 + 1 + 4)
            }
        };
        let asked = row.asked;
        row.demand(asked <= most, || {
            format!("asked {asked} times, wanted at most {most}")
        });
        // Or the trouble was none.
        row.demand(asked > 0, || "never asked".to_owned());
    }

    /// Whoever needs nothing of the issuer notices nothing.
    fn judge_load(&self, outcome: Outcome, unseen_before: usize, row: &mut Row) {
        row.made = outcome.made;
        row.failed = outcome.failed.len();
        row.slowest = outcome.slowest;
        let failed = &outcome.failed;
        row.demand(failed.is_empty(), || {
            format!("failed: {:?}", &failed[..failed.len().min(3)])
        });
        row.demand(outcome.made > 20, || format!("made {}", outcome.made));
        row.demand(outcome.connections == CLIENTS, || {
            format!("{CLIENTS} clients made {} connections", outcome.connections)
        });
        let shown = unseen_before - outcome.unseen_left;
        row.demand(shown > 2 || unseen_before == 0, || {
            format!("{shown} tokens were shown for the first time")
        });
    }

    fn judge_sent(&self, world: &World, row: &mut Row) {
        let arrived = world.arrived_elsewhere();
        row.demand(arrived == 0, || format!("{arrived} went elsewhere"));
        if let Some(sent) = world.most_sent() {
            // What the sockets hold is on its way, though nobody reads it.
            let most = 4 * 1024 * 1024;
            row.demand(sent < most, || format!("{sent} bytes were sent"));
            if sent > 100_000 {
                row.trouble
                    .push_str(&format!(" ({:.1} MB were sent)", sent as f64 / 1e6));
            }
        }
    }
}

fn said(answer: &Answer) -> String {
    format!("{}: {}", answer.status, answer.body)
}

/// Shows a token until it is let in, which may be refused 503 until then and nothing else.
pub(crate) async fn until_known(
    client: &mut Client,
    token: &str,
    most: Duration,
) -> Result<(), String> {
    match until_judged(client, token, most).await? {
        200 => Ok(()),
        status => Err(format!("{status}")),
    }
}

/// Shows a token until it is judged.
async fn until_judged(client: &mut Client, token: &str, most: Duration) -> Result<u16, String> {
    let begun = Instant::now();
    loop {
        let answer = client.show("/", token).await?;
        if answer.status != 503 {
            return Ok(answer.status);
        }
        if begun.elapsed() > most {
            return Err(format!("after {most:?} still {}", said(&answer)));
        }
        sleep(Duration::from_millis(100)).await;
    }
}
