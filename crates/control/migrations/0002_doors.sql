-- The three doors. The roles own nothing; what they may do stands here, whole.
-- tenant: the rows of the one account that the transaction is bound to (app.account).
-- staff:  metadata of all accounts; no hashes of passwords or tokens.
-- system: nothing but named functions (0003, 0004 and what later files add).

revoke all on schema public from public;
grant usage on schema public to husorden_tenant, husorden_staff, husorden_system;
alter default privileges revoke execute on functions from public;
revoke execute on all functions in schema public from public;

-- Row-level security on every table there is, for the owner too; the owner passes by a policy of its own, so that the
-- functions of the system door see all rows without the owner being a superuser.
do $$
declare t record;
begin
    for t in select c.oid::regclass as name from pg_class c
             where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace loop
        execute format('alter table %s enable row level security', t.name);
        execute format('alter table %s force row level security', t.name);
        execute format('create policy owner_all on %s to husorden_owner using (true) with check (true)', t.name);
    end loop;
end $$;

create function bound_account() returns uuid language sql stable as $$
    select nullif(current_setting('app.account', true), '')::uuid
$$;
grant execute on function bound_account() to husorden_tenant, husorden_staff;
grant execute on function touch_wish(), touch_order(), touch_measure(), number_event() to husorden_tenant, husorden_staff;
grant execute on function number_solution() to husorden_tenant;

-- tenant ---------------------------------------------------------------------------------------------------------------
create policy tenant_own on account     for select to husorden_tenant using (id = bound_account());
create policy tenant_own on token       to husorden_tenant using (account = bound_account()) with check (account = bound_account() and role = 'account');
create policy tenant_own on solution    to husorden_tenant using (account = bound_account()) with check (account = bound_account());
create policy tenant_own on claim       to husorden_tenant using (account = bound_account()) with check (account = bound_account());
create policy tenant_own on snapshot    to husorden_tenant using (account = bound_account()) with check (account = bound_account());
create policy tenant_own on verb_order  to husorden_tenant using (account = bound_account()) with check (account = bound_account());
create policy tenant_own on measure     for select to husorden_tenant
    using (account = bound_account() and (silent_until is null or silent_until <= now()));
create policy tenant_own on measure_node for select to husorden_tenant
    using (exists (select from measure m where m.id = measure));
create policy tenant_see on evidence    for select to husorden_tenant using (account = bound_account() and visible_from <= now());
create policy tenant_add on evidence    for insert to husorden_tenant with check (account = bound_account());
create policy tenant_see on event       for select to husorden_tenant using (account = bound_account() and visible_from <= now());
create policy tenant_add on event       for insert to husorden_tenant with check (account = bound_account());
create policy tenant_own on idempotency for insert to husorden_tenant with check (account = bound_account());

grant select on account to husorden_tenant;
grant select (id, role, account, label, read_only, created, expires, revoked), insert, update (revoked) on token to husorden_tenant;
-- Nobody but the owner chooses a number.
grant select, update, insert (id, account, node, name, kind, aim, spec, credentials, labels, protected, epoch) on solution to husorden_tenant;
grant select, insert, update, delete on claim to husorden_tenant;
grant select, insert, update on snapshot to husorden_tenant;
grant select, insert on verb_order to husorden_tenant;
grant select on measure, measure_node to husorden_tenant;
grant select, insert on evidence to husorden_tenant;
grant usage on sequence evidence_id to husorden_tenant;
grant select, insert on event to husorden_tenant;
grant insert on idempotency to husorden_tenant;

-- staff ----------------------------------------------------------------------------------------------------------------
do $$
declare t text;
begin
    foreach t in array array['account', 'token', 'solution', 'claim', 'snapshot', 'verb_order', 'case_file', 'measure',
                             'measure_node', 'evidence', 'event', 'node', 'platform'] loop
        execute format('create policy staff_see on %I for select to husorden_staff using (true)', t);
    end loop;
    foreach t in array array['account', 'token', 'case_file', 'measure', 'measure_node', 'evidence', 'event', 'idempotency', 'job'] loop
        execute format('create policy staff_add on %I for insert to husorden_staff with check (true)', t);
    end loop;
    foreach t in array array['token', 'case_file', 'measure'] loop
        execute format('create policy staff_change on %I for update to husorden_staff using (true) with check (true)', t);
    end loop;
end $$;
grant select, insert on account to husorden_staff;
grant select (id, role, account, label, read_only, created, expires, revoked), insert, update (revoked) on token to husorden_staff;
grant select (id, number, account, node, name, kind, aim, aim_before, spec, labels, protected, epoch, generation, hold_for,
              seen, seen_state, seen_link, seen_generation, retain_until, deleted, created, changed) on solution to husorden_staff;
grant select on claim, snapshot, verb_order, measure_node, node, platform to husorden_staff;
grant insert on measure_node to husorden_staff;
grant select, insert, update (state) on case_file to husorden_staff;
grant usage on sequence case_number, measure_revision, evidence_id to husorden_staff;
grant select, insert, update (revision, lifted, lift_reasons) on measure to husorden_staff;
grant select, insert on evidence, event to husorden_staff;
grant insert on idempotency, job to husorden_staff;

-- How many solutions count against an account's limit is read under this lock, so that two creations do not both find room.
-- A deleted solution counts as long as it can be undone, for its volume is still there; so does one that a narrowed
-- transaction does not see.
create function count_to_create(p_account uuid) returns bigint
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if bound_account() is distinct from p_account then raise exception 'bound to another account'; end if;
    perform pg_advisory_xact_lock(4814, hashtext(p_account::text));
    return (select count(*) from solution where account = p_account and deleted is null);
end $$;
grant execute on function count_to_create(uuid) to husorden_tenant;

-- Views: one shape for each noun, read with the asker's own rights ------------------------------------------------------
-- When a node was heard is told to tenants too, for the state of their solutions hangs on it; nothing else of a node is.
create function node_heard(p_node text) returns timestamptz language sql stable security definer set search_path = public, pg_temp as $$
    select heard from node where name = p_node
$$;
grant execute on function node_heard(text) to husorden_tenant, husorden_staff;

create view measure_view with (security_invoker = true) as
select m.id, m.revision, m.case_id, m.case_number, m.clause, m.account, m.solution, m.access, m.fates, m.reasons, m.starts, m.ends,
       m.silent_until, m.lifted,
       n.nodes, n.kept_nodes, n.force_nodes, n.lifted_nodes, n.in_force_at, n.lifted_at
from measure m
cross join lateral (
    select count(*) as nodes,
           count(*) filter (where mn.state <> 'ordered') as kept_nodes,
           count(*) filter (where mn.in_force is not null) as force_nodes,
           count(*) filter (where mn.state = 'lifted') as lifted_nodes,
           max(mn.in_force) as in_force_at, max(mn.lifted) as lifted_at
    from measure_node mn where mn.measure = m.id) n;

create view solution_view with (security_invoker = true) as
select s.id, s.number, s.account, a.name as account_name, s.node, s.name, s.kind, s.aim, s.aim_before, s.spec, s.labels, s.protected,
       s.epoch, s.generation, s.hold_for, s.seen, s.seen_state, s.seen_generation, s.retain_until, s.deleted, s.created, s.changed,
       node_heard(s.node) as heard, now() as now,
       (select m.case_number from measure m
         where m.account = s.account and (m.solution is null or m.solution = s.id)
           and m.lifted is null and m.starts <= now() and (m.ends is null or m.ends > now())
         order by m.starts, m.id limit 1) as case_number,
       (select bool_or(mn.in_force is not null) from measure m join measure_node mn on mn.measure = m.id
         where m.account = s.account and (m.solution is null or m.solution = s.id) and mn.node = s.node
           and m.lifted is null and m.starts <= now() and (m.ends is null or m.ends > now())) as closed
from solution s join account a on a.id = s.account;

grant select on measure_view, solution_view to husorden_tenant, husorden_staff;

-- The narrowest measure on one solution that closes more than services; also a silent one, for it holds though it is not shown.
create function held_on(p_solution uuid) returns jsonb language sql stable security definer set search_path = public, pg_temp as $$
    select to_jsonb(m) from measure m
    where m.solution = p_solution and m.access <> 'full' and m.lifted is null and m.starts <= now() and (m.ends is null or m.ends > now())
      and (bound_account() is null or m.account = bound_account())
    order by array_position(array['none', 'decision', 'data-out'], m.access), m.starts limit 1
$$;
grant execute on function held_on(uuid) to husorden_tenant;
