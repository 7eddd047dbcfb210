//! `control.list_100k`: a page of solutions or cases where there are a hundred thousand of each, for staff who see them all.
//! Every way the API offers to search and narrow is asked in turn, also for what is rare and for what is not there; the figure
//! is the p99 of the slowest of them.

use crate::ask::Caller;
use crate::load;
use anyhow::{Context, Result, bail};
use husorden_world::bench::{Better, Figure, quantile};
use husorden_world::{House, Who};
use std::time::Duration;

/// Requests of each way.
const SAMPLES: usize = 100;
/// Requests come at a pace that the API grants one token.
const PACE: Duration = Duration::from_millis(22);

/// A hundred accounts with a thousand solutions each, a case on each of them; a twentieth of the cases has a measure (most
/// of them lifted), some a complaint. Everything looks as if the node had reported it. The largest
/// index is filled in one go.
const SEED: &str = "
alter index case_by_facts_part set (fastupdate = on);
insert into node (name, heard) values ('elsewhere', now() + interval '1 day');
insert into account (id, name, language)
  select ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'company ' || n || ' ' || substr(md5(n::text), 1, 6), 'da'
  from generate_series(1, 100) n;
insert into solution (id, account, node, name, kind, aim, spec, labels, epoch, seen, seen_state, seen_generation)
  select ('01900000-0000-7000-9000-' || lpad(to_hex(n), 12, '0'))::uuid,
         ('01900000-0000-7000-8000-' || lpad(to_hex(1 + n / 1000), 12, '0'))::uuid, 'elsewhere',
         'site-' || n || '-' || substr(md5('s' || n), 1, 8), d.kind, 'run', d.spec,
         case when n % 50 = 0 then '{\"tier\": \"gold\"}' else '{}' end::jsonb, d.epoch,
         jsonb_set(jsonb_set(d.seen, '{generation}', '1'), '{state}', case when n % 5000 = 17 then '\"trouble\"' else '\"settled\"' end::jsonb),
         case when n % 5000 = 17 then 'trouble' else 'settled' end, 1
  from generate_series(0, 99999) n, (select * from solution where deleted is null and seen is not null limit 1) d;
insert into case_file (id, number, account, solution, clause, facts, opened_by, state, closed, closing)
  select ('01900000-0000-7000-a000-' || lpad(to_hex(n), 12, '0'))::uuid, 'H-2020-' || lpad(n::text, 6, '0'), s.account, s.id,
         (array['network.attack', 'mail.spam', 'content.rights', 'load.exceptional'])[1 + n % 4],
         'Mail of ' || s.name || ' was reported by ' || md5('f' || n) || '.example; the headers show the address 198.51.100.' || n % 250 ||
         ', and the same text came to eleven others between ten and noon. ' || repeat('It was looked at by hand. ', 6),
         'platform', case when n % 10 = 0 then 'open' else 'closed' end,
         case when n % 10 = 0 then null else now() end, case when n % 10 = 0 then null else 'Done.' end
  from (select *, row_number() over (order by id) - 1 as n from solution where node = 'elsewhere') s;
insert into measure (id, case_id, case_number, clause, account, solution, access, fates, reasons, starts, lifted, lift_reasons)
  select ('01900000-0000-7000-b000-' || lpad(to_hex(n), 12, '0'))::uuid, c.id, c.number, c.clause, c.account, c.solution, 'decision',
         '{\"mail\": \"waits\", \"cron\": \"waits\", \"connections\": \"cut\", \"console\": \"cut\"}', 'The mail was not asked for by those who got it.', now(),
         case when n % 200 = 0 then null else now() end, case when n % 200 = 0 then null else 'It was stopped.' end
  from (select *, row_number() over (order by id) - 1 as n from case_file where number like 'H-2020-%') c where n % 20 = 0;
insert into measure_node (measure, node, state, kept, in_force, lifted)
  select id, 'elsewhere', case when lifted is null then 'in-force' else 'lifted' end, now(), now(), lifted from measure where case_number like 'H-2020-%';
insert into complaint (id, case_id, case_number, measure, account, by, text)
  select ('01900000-0000-7000-c000-' || lpad(to_hex(n), 12, '0'))::uuid, m.case_id, m.case_number, m.id, m.account, 'account:unknown', 'It was not us, and it has ended.'
  from (select *, row_number() over (order by id) - 1 as n from measure where case_number like 'H-2020-%') m where m.lifted is null;
alter index case_by_facts_part set (fastupdate = off);
vacuum analyze;
select (select count(*) from solution), (select count(*) from case_file), (select count(*) from measure), (select count(*) from complaint where outcome is null);
";

pub(crate) fn list(house: &House) -> Result<()> {
    let counted = house.sql(SEED).context("making a hundred thousand of each")?;
    println!("solutions|cases|measures|complaints that wait: {counted}");
    let ask = Caller::api(&house.api_address(), house.token(Who::Staff));
    let pick = |round: usize| round * 7_919 % 100_000;
    // What each way is called, what it asks in a round, and whether a page must hold something.
    type Way = (&'static str, fn(usize) -> String, bool);
    let ways: [Way; 20] = [
        ("solutions", |_| "/v1/solutions".to_owned(), true),
        ("solutions?limit=200", |_| "/v1/solutions?limit=200".to_owned(), true),
        ("solutions?after", |n| format!("/v1/solutions?after=01900000-0000-7000-9000-{n:012x}"), true),
        ("solutions?q, one", |n| format!("/v1/solutions?q=site-{n}-"), true),
        ("solutions?q, short", |_| "/v1/solutions?q=e-".to_owned(), true),
        ("solutions?q, none", |n| format!("/v1/solutions?q=nothing{n}"), false),
        ("solutions?account", |n| format!("/v1/solutions?account=01900000-0000-7000-8000-{:012x}", 1 + n / 1000), true),
        ("solutions?label", |_| "/v1/solutions?label=tier%3Dgold".to_owned(), true),
        ("solutions?label, none", |n| format!("/v1/solutions?label=t{n}"), false),
        ("solutions?state=running", |_| "/v1/solutions?state=running".to_owned(), true),
        ("solutions?state=trouble", |_| "/v1/solutions?state=trouble".to_owned(), false),
        ("solutions?state=closed", |_| "/v1/solutions?state=closed".to_owned(), false),
        ("cases", |_| "/v1/cases".to_owned(), true),
        ("cases?state=open", |_| "/v1/cases?state=open".to_owned(), true),
        ("cases?clause", |_| "/v1/cases?clause=mail.spam&state=open".to_owned(), false),
        ("cases?account", |n| format!("/v1/cases?account=01900000-0000-7000-8000-{:012x}", 1 + n / 1000), true),
        ("cases?q, a number", |n| format!("/v1/cases?q=H-2020-{n:06}"), true),
        ("cases?q, facts of one", |n| format!("/v1/cases?q=site-{n}-"), true),
        ("cases?q, none", |n| format!("/v1/cases?q=nothing{n}"), false),
        ("cases?complaint=waiting", |_| "/v1/cases?complaint=waiting".to_owned(), true),
    ];
    let mut slowest: (f64, &str) = (0.0, "");
    let mut all = Vec::new();
    for (name, path, filled) in ways {
        let mut times = Vec::new();
        for round in 0..SAMPLES + 3 {
            let path = path(pick(round + 1));
            let (status, body, took) = ask.send("GET", &path, None)?;
            if status != 200 || (filled && !body.contains("\"id\"")) {
                bail!("{path}: {status} {}", body.chars().take(300).collect::<String>());
            }
            // The first ones warm the plans and the pages.
            if round >= 3 {
                times.push(took);
            }
            std::thread::sleep(PACE.saturating_sub(Duration::from_secs_f64(took / 1e3)));
        }
        let p99 = quantile(&mut times, 0.99);
        println!("  {name:<26} p50 {:>7.2} ms   p99 {p99:>7.2} ms", quantile(&mut times, 0.5));
        if p99 > slowest.0 {
            slowest = (p99, name);
        }
        all.extend(times);
    }
    Figure {
        name: "control.list_100k",
        ours: slowest.0,
        peer: None,
        unit: "ms",
        better: Better::Less,
        note: format!(
            "p99 of the slowest of 20 ways to ask ({}), n={SAMPLES} each, 100,000 solutions and 100,000 cases; of all together p50 {:.1}, p99 {:.1}; load {}",
            slowest.1,
            quantile(&mut all, 0.5),
            quantile(&mut all, 0.99),
            load()
        ),
    }
    .report()
}
