-- Up to when what a node told of logs holds is kept beside how it is: a node that has just begun has nothing to say of it yet, and what was said
-- before still holds.
alter table node add column logs jsonb;

create or replace function node_health(p_node text, p_link uuid, p_health jsonb) returns void
language sql security definer set search_path = public, pg_temp as $$
    update node set heard = now(), connected = true, health = p_health - 'logs', logs = coalesce(p_health->'logs', logs)
     where name = p_node and link = p_link
$$;

-- Told to tenants too, as when it was heard is. No clock of a node that is ahead makes it later than now.
create function node_told(p_node text, p_solution uuid) returns timestamptz
language sql stable security definer set search_path = public, pg_temp as $$
    select least(holds, now())
      from node, lateral (select coalesce(logs->'untold'->>p_solution::text, logs->>'to')::timestamptz as holds) told
     where name = p_node and holds is not null
$$;
revoke all on function node_told(text, uuid) from public;
grant execute on function node_told(text, uuid) to husorden_tenant, husorden_staff;

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
       (select to_jsonb(p) from backup_plan p where p.solution = s.id) as backups,
       node_told(s.node, s.id) as told
from solution s join account a on a.id = s.account;
