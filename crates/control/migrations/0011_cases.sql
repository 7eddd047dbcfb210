-- Cases carried to their end: notes, who decided, the statement of reasons, complaints, closing, and the watch over measures
-- that lag.

alter table case_file
    -- Counts every change, so that two people at one desk see each other's work.
    add column version   bigint not null default 1,
    add column opened_by text not null default 'node',
    add column closed    timestamptz,
    add column closed_by text,
    add column closing   text,
    -- Under a clause marked criminal: when and where it was referred, or the named reason why that was not due.
    add column referral  jsonb,
    add constraint case_closed_whole check ((state = 'closed') = (closed is not null));

alter table measure
    -- What the account holder is told it rests on; a case's own facts are staff's.
    add column facts         text not null default '',
    add column rules_version text,
    add column decided_by    text not null default 'node',
    add column lifted_by     text;
-- In one case one scope is held once: of two people who decide at once, the second is told of the first.
create unique index measure_decided_twice on measure (case_id, coalesce(solution, account)) where lifted is null;

create table case_note (
    id      uuid primary key,
    case_id uuid not null references case_file,
    at      timestamptz not null default now(),
    by      text not null,
    text    text not null check (length(text) between 1 and 10000)
);
create index case_note_by_case on case_note (case_id, id);

create table complaint (
    id          uuid primary key,
    case_id     uuid not null references case_file,
    case_number text not null,
    measure     uuid not null references measure,
    account     uuid not null references account,
    by          text not null,
    text        text not null check (length(text) between 1 and 10000),
    made        timestamptz not null default now(),
    outcome     text check (outcome in ('upheld', 'rejected')),
    answer      text,
    answered    timestamptz,
    answered_by text,
    constraint complaint_answered_whole check ((outcome is null) = (answered is null) and (outcome is null) = (answer is null))
);
create unique index complaint_waits_once on complaint (measure) where outcome is null;
create index complaint_by_account on complaint (account, id);
create index complaint_by_case on complaint (case_id, id);
create index complaint_waiting on complaint (id) where outcome is null;

-- A desk reads cases newest first, by state, account and solution.
create index case_by_state on case_file (state, id);
create index case_by_account on case_file (account, id);
create index case_by_solution on case_file (solution, id) where solution is not null;

do $$
declare t text;
begin
    foreach t in array array['case_note', 'complaint'] loop
        execute format('alter table %I enable row level security', t);
        execute format('alter table %I force row level security', t);
        execute format('create policy owner_all on %I to husorden_owner using (true) with check (true)', t);
        execute format('create policy staff_see on %I for select to husorden_staff using (true)', t);
    end loop;
end $$;
-- An account complains about what it is shown: a measure that an order keeps silent is not.
create policy tenant_see on complaint for select to husorden_tenant using (account = bound_account());
create policy tenant_add on complaint for insert to husorden_tenant
    with check (account = bound_account() and outcome is null and exists (select from measure m where m.id = measure and m.account = complaint.account));
create policy staff_add on case_note for insert to husorden_staff with check (true);
create policy staff_change on complaint for update to husorden_staff using (true) with check (true);
grant select, insert on complaint to husorden_tenant;
grant select, insert on case_note to husorden_staff;
grant select, update (outcome, answer, answered, answered_by) on complaint to husorden_staff;
grant update (closed, closed_by, closing, referral) on case_file to husorden_staff;
grant update (lifted_by) on measure to husorden_staff;

-- Whatever happens in a case is a change of the case.
create function count_case() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update case_file set version = version + 1 where id = new.case_id;
    return null;
end $$;
create trigger count_case after insert on case_note for each row execute function count_case();
create trigger count_case after insert or update on complaint for each row execute function count_case();
create trigger count_case after insert or update of lifted on measure for each row execute function count_case();
grant execute on function count_case() to husorden_tenant, husorden_staff;

create or replace view measure_view with (security_invoker = true) as
select m.id, m.revision, m.case_id, m.case_number, m.clause, m.account, m.solution, m.access, m.fates, m.reasons, m.starts, m.ends,
       m.silent_until, m.lifted,
       n.nodes, n.kept_nodes, n.force_nodes, n.lifted_nodes, n.in_force_at, n.lifted_at,
       m.facts, m.rules_version, m.decided_by, m.lifted_by, m.lift_reasons
from measure m
cross join lateral (
    select count(*) as nodes,
           count(*) filter (where mn.state <> 'ordered') as kept_nodes,
           count(*) filter (where mn.in_force is not null) as force_nodes,
           count(*) filter (where mn.state = 'lifted') as lifted_nodes,
           max(mn.in_force) as in_force_at, max(mn.lifted) as lifted_at
    from measure_node mn where mn.measure = m.id) n;

-- Nodes that a measure, or its lifting, has not reached. True: some have not, and staff were told; ask again.
create function measure_watch(p_measure uuid) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    m measure;
    behind jsonb;
begin
    select * into m from measure where id = p_measure;
    if not found then return false; end if;
    select jsonb_agg(node order by node) into behind from measure_node
        where measure = m.id and case when m.lifted is null then in_force is null else state <> 'lifted' end;
    if behind is null then return false; end if;
    -- A measure whose end has come before it ever held is nobody's alarm.
    if m.lifted is null and m.ends is not null and m.ends <= now() then return false; end if;
    insert into event (account, solution, kind, by, data)
        values (null, m.solution, 'measure.late', 'platform',
                jsonb_build_object('case', m.case_number, 'measure', m.id, 'nodes', behind, 'lifting', m.lifted is not null));
    return true;
end $$;
grant execute on function measure_watch(uuid) to husorden_system;
