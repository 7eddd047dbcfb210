-- Backups: where they lie, when they are made, what came of them, and what proofs found. What opens a target or a repository stands
-- nowhere here: the vault has it.

-- A place where backups lie, the host's own.
create table target (
    id               uuid primary key,
    name             text not null constraint target_name_taken unique check (length(name) between 1 and 63),
    -- How it is reached, as a node is told; without a secret.
    address          jsonb not null,
    kind             text not null generated always as (address->>'kind') stored,
    bytes_per_second bigint check (bytes_per_second >= 65536),
    state            text not null default 'open' check (state in ('open', 'retired')),
    made             timestamptz not null default now(),
    retired          timestamptz,
    constraint target_retired_fits check ((state = 'retired') = (retired is not null))
);

-- When a solution is backed up, and how it stands; a row for each solution.
create table backup_plan (
    solution     uuid primary key references solution,
    account      uuid not null references account,
    enabled      boolean not null default true,
    -- Why it is off.
    reason       text check (length(reason) <= 500),
    -- None: the installation's own.
    target       uuid references target,
    -- The window: hour of the day in the zone, and hours that it is long.
    hour         smallint not null default 1 check (hour between 0 and 23),
    hours        smallint not null default 4 check (hours between 1 and 24),
    zone         text not null default 'Europe/Copenhagen' check (length(zone) between 1 and 64),
    -- When the next daily one begins. It stays when it is missed, so that one is made for all that were.
    due          timestamptz,
    -- Since when backups are expected.
    since        timestamptz not null default now(),
    -- When the newest one that is ready was taken, and since when they fail.
    newest       timestamptz,
    failed       timestamptz,
    -- The newest one that no proof has ended for, when a proof passed last, and since when they fail.
    unproven     uuid,
    proven       timestamptz,
    proof_failed timestamptz
);
create index backup_plan_due on backup_plan (due) where enabled;
create index backup_plan_unproven on backup_plan (solution) where unproven is not null;

create table backup (
    id         uuid primary key,
    solution   uuid not null references solution,
    account    uuid not null references account,
    target     uuid not null references target,
    order_id   uuid not null constraint backup_order_once unique,
    reason     text not null check (reason in ('daily', 'asked', 'before-risk')),
    state      text not null default 'writing' check (state in ('writing', 'ready', 'failed', 'gone')),
    asked      timestamptz not null default now(),
    -- Its name in the repository.
    copy       text,
    taken      timestamptz,
    -- The volume's snapshot it was made of.
    snapshot   uuid,
    files      bigint not null default 0,
    bytes      bigint not null default 0,
    bytes_read bigint not null default 0,
    bytes_sent bigint not null default 0,
    took_ms    bigint,
    -- What a proof will find.
    noted      jsonb not null default '{}',
    -- The spec as it was when the backup was asked for.
    spec       jsonb not null,
    refusal    jsonb,
    ended      timestamptz,
    constraint backup_ready_fits check (state not in ('ready', 'gone') or (copy is not null and taken is not null))
);
create index backup_by_solution on backup (solution, id);
-- One at a time.
create unique index backup_writing on backup (solution) where state = 'writing';
create index backup_by_target on backup (target);

create table proof (
    id       uuid primary key,
    backup   uuid not null references backup,
    solution uuid not null references solution,
    account  uuid not null references account,
    node     text not null references node,
    order_id uuid not null constraint proof_order_once unique,
    -- `ended`: it could not be carried out.
    state    text not null default 'proving' check (state in ('proving', 'passed', 'failed', 'ended')),
    level    text check (level in ('hashes', 'pieces', 'restored', 'opened')),
    steps    jsonb not null default '[]',
    found    jsonb not null default '{}',
    bytes    bigint not null default 0,
    took_ms  bigint,
    refusal  jsonb,
    made     timestamptz not null default now(),
    ended    timestamptz
);
create index proof_by_solution on proof (solution, id);
create index proof_by_backup on proof (backup, id);
create unique index proof_proving on proof (solution) where state = 'proving';

do $$
declare t text;
begin
    foreach t in array array['target', 'backup_plan', 'backup', 'proof'] loop
        execute format('alter table %I enable row level security', t);
        execute format('alter table %I force row level security', t);
        execute format('create policy owner_all on %I to husorden_owner using (true) with check (true)', t);
        execute format('create policy staff_see on %I for select to husorden_staff using (true)', t);
        execute format('grant select on %I to husorden_staff', t);
    end loop;
    foreach t in array array['backup_plan', 'backup', 'proof'] loop
        execute format('create policy tenant_own on %I to husorden_tenant using (account = bound_account()) with check (account = bound_account())', t);
        execute format('create policy tenant_scope on %1$I as restrictive to husorden_tenant
            using ((select scope_open()) or exists (select from solution s where s.id = %1$I.solution))
            with check ((select scope_open()) or exists (select from solution s where s.id = %1$I.solution))', t);
        execute format('grant select on %I to husorden_tenant', t);
    end loop;
end $$;
-- A customer is told what a target is called and of what kind it is, and not where it is.
create policy tenant_see on target for select to husorden_tenant using (true);
grant select (id, name, kind, state) on target to husorden_tenant;
create policy staff_add on target for insert to husorden_staff with check (true);
create policy staff_change on target for update to husorden_staff using (true) with check (true);
grant insert (id, name, address, bytes_per_second), update (name, bytes_per_second, state, retired) on target to husorden_staff;
grant update (enabled, reason, target, hour, hours, zone, due, since) on backup_plan to husorden_tenant;
grant insert (id, solution, account, target, order_id, reason, spec) on backup to husorden_tenant;

-- Each solution has a plan from its first day; what is there already gets one now.
insert into backup_plan (solution, account) select id, account from solution where deleted is null;
create function plan_backups() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into backup_plan (solution, account) values (new.id, new.account);
    return null;
end $$;
create trigger plan_backups after insert on solution for each row execute function plan_backups();

-- Where a solution's repository is at a target, as a node is told.
create function repository_of(p_solution uuid, p_target uuid) returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_strip_nulls(jsonb_build_object('target', t.id, 'address', t.address, 'folder', s.number::text,
                                                'bytes_per_second', t.bytes_per_second))
    from solution s, target t
    where s.id = p_solution and t.id = p_target and (bound_account() is null or s.account = bound_account())
$$;

-- The target that a solution goes to: the one its plan names, else the installation's own.
create function target_of(p_solution uuid, p_own text) returns uuid
language sql stable security definer set search_path = public, pg_temp as $$
    select coalesce((select t.id from backup_plan p join target t on t.id = p.target where p.solution = p_solution and t.state = 'open'),
                    (select t.id from target t where t.name = p_own and t.state = 'open'))
$$;
grant execute on function repository_of(uuid, uuid), target_of(uuid, text) to husorden_tenant, husorden_staff;

-- What an account or a solution is sealed by stops its backups and proofs.
create function is_sealed(s solution) returns boolean
language sql stable set search_path = public, pg_temp as $$
    select exists (select from measure m where m.account = s.account and (m.solution is null or m.solution = s.id)
                    and m.access = 'none' and m.lifted is null and m.starts <= now() and (m.ends is null or m.ends > now()))
$$;

create view proof_view with (security_invoker = true) as
select f.id, f.solution, f.account, s.name as solution_name, s.kind, f.backup, b.taken, f.node, f.state, f.level, f.steps, b.noted, f.found,
       f.bytes, f.took_ms, f.refusal, f.made, f.ended
from proof f join backup b on b.id = f.backup join solution s on s.id = f.solution;

create view backup_view with (security_invoker = true) as
select b.id, b.solution, b.account, b.target, t.name as target_name, b.order_id, b.reason, b.state, b.asked, b.copy, b.taken, b.files, b.bytes,
       b.bytes_read, b.bytes_sent, b.took_ms, b.noted, b.spec, b.refusal, b.ended, o.progress,
       (select to_jsonb(f) from proof_view f where f.backup = b.id order by f.id desc limit 1) as proof
from backup b join target t on t.id = b.target left join verb_order o on o.id = b.order_id;
grant select on proof_view, backup_view to husorden_tenant, husorden_staff;

-- How a solution is shown, with how its backups stand.
create or replace view solution_view with (security_invoker = true) as
select s.id, s.number, s.account, a.name as account_name, s.node, s.name, s.kind, s.aim, s.aim_before, s.spec, s.labels, s.protected,
       s.epoch, s.generation, s.hold_for, s.seen, s.seen_state, s.seen_generation, s.retain_until, s.deleted, s.created, s.changed,
       node_heard(s.node) as heard, now() as now,
       (select m.case_number from measure m
         where m.account = s.account and (m.solution is null or m.solution = s.id)
           and m.lifted is null and m.starts <= now() and (m.ends is null or m.ends > now())
         order by m.starts, m.id limit 1) as case_number,
       (select bool_or(mn.in_force is not null) from measure m join measure_node mn on mn.measure = m.id
         where m.account = s.account and (m.solution is null or m.solution = s.id) and mn.node = s.node
           and m.lifted is null and m.starts <= now() and (m.ends is null or m.ends > now())) as closed,
       (select to_jsonb(p) from backup_plan p where p.solution = s.id) as backups
from solution s join account a on a.id = s.account;
