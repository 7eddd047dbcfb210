-- Updates: what a node says of how they ended becomes events, and a snapshot that the node took by itself knows the spec that belongs
-- to it.

-- The updates of the last day that a report names and the one before it did not.
create function tell_updates() returns trigger
language plpgsql set search_path = public, pg_temp as $$
declare
    past jsonb;
begin
    for past in
        select p from jsonb_array_elements(coalesce(new.seen->'builds'->'past', '[]')) p
         where (p->>'at')::timestamptz > now() - interval '1 day'
           and not exists (select from jsonb_array_elements(coalesce(old.seen->'builds'->'past', '[]')) o where o->>'id' = p->>'id')
    loop
        insert into event (account, solution, kind, by, data)
            values (new.account, new.id, case past->'end'->>'is' when 'held' then 'update.held' else 'update.rolled-back' end, 'node',
                    jsonb_strip_nulls(jsonb_build_object('name', new.name, 'runtime', past->'runtime', 'from', past->'from', 'to', past->'to',
                        'reason', left(past->'end'->>'reason', 1000), 'restored', past->'end'->'restored')));
    end loop;
    return null;
end $$;
create trigger tell_updates after update of seen on solution for each row
    when (new.seen->'builds'->'past' is distinct from old.seen->'builds'->'past') execute function tell_updates();

-- A snapshot that control did not ask for: where the wish was ahead of the data, the node says which fields were as they are in it.
create function spec_of_snapshot() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
    select s.spec || (e->'spec') into new.spec
      from solution s, jsonb_array_elements(coalesce(s.seen->'snapshots', '[]')) e
     where s.id = new.solution and e->>'id' = new.id::text and jsonb_typeof(e->'spec') = 'object';
    return new;
end $$;
create trigger spec_of_snapshot before insert on snapshot for each row when (new.spec is null) execute function spec_of_snapshot();

-- The runtimes of the node that a solution lies on, with their builds. Who asks has found the solution by a door of their own.
create function solution_runtimes(p_solution uuid) returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select coalesce(n.health->'runtimes', '[]') from solution s join node n on n.name = s.node where s.id = p_solution
$$;
grant execute on function solution_runtimes(uuid) to husorden_tenant, husorden_staff;

-- An update that did not hold is trouble; one that did is work.
create or replace function mail_topic(p_kind text, p_data jsonb) returns text
language sql immutable set search_path = public, pg_temp as $$
    select case
        when p_kind in ('measure.decided', 'measure.taken', 'measure.lifted', 'measure.ended', 'complaint.made', 'complaint.answered') then 'decisions'
        when p_kind in ('grant.given', 'grant.broken', 'grant.used', 'token.created', 'token.revoked', 'webhook.created', 'webhook.changed',
                        'webhook.deleted', 'member.rescued') then 'access'
        when p_kind in ('solution.trouble', 'update.rolled-back', 'log.broken', 'volume.filling', 'volume.full', 'volume.room', 'wish.refused', 'order.failed', 'webhook.failed') then 'trouble'
        when p_kind in ('solution.deleted', 'solution.undone', 'solution.buried') then 'deletion'
        when p_kind in ('solution.created', 'solution.changed', 'solution.started', 'solution.stopped', 'credential.changed', 'update.held') then 'work'
        -- A solution that wakes and sleeps is no news.
        when p_kind = 'order.done' and coalesce(p_data->>'verb', '') not in ('wake', 'sleep') then 'work'
        when p_kind like 'subscription.%' or p_kind = 'payment.entered' then 'money'
        when p_kind in ('member.invited', 'member.changed', 'member.removed', 'account.changed') then 'members'
        when p_kind in ('rules.published', 'rules.accepted') then 'rules'
    end
$$;
