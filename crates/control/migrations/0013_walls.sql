-- What a stranger meets of a measure, as each node's probe saw it, and solutions made from another's volume.

alter table measure_node
    add column seen timestamptz,
    add column seen_open timestamptz,
    add column probe jsonb;

-- What a solution's volume is made from: another's snapshot on the same node.
alter table solution add column origin jsonb;
grant insert (origin) on solution to husorden_tenant;
create or replace function wish_json(s solution) returns jsonb language sql stable as $$
    select jsonb_build_object('solution', s.id, 'number', s.number, 'account', s.account, 'kind', s.kind, 'epoch', s.epoch,
                              'name', s.name, 'aim', s.aim, 'spec', s.spec, 'credentials', s.credentials, 'from', s.origin,
                              'retain_until', s.retain_until, 'generation', s.generation)
        || coalesce(s.held, '{}')
$$;

-- What the probe of a node met. The first time that everything a measure covers was met closed (or open again) counts; what a
-- probe could not see says why, and takes nothing back.
create function node_measure_seen(p_node text, p_seen jsonb) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    m measure;
    met text := p_seen->>'what';
    met_at timestamptz := (p_seen->>'at')::timestamptz;
    is_over boolean;
    before_all boolean;
    after_all boolean;
begin
    select * into m from measure where id = (p_seen->>'measure')::uuid for update;
    if not found or (p_seen->>'revision')::bigint < m.revision then return; end if;
    is_over := m.lifted is not null or coalesce(m.ends <= now(), false);
    select bool_and(case when is_over then seen_open else seen end is not null) into before_all from measure_node where measure = m.id;
    if met = 'closed' and not is_over then
        update measure_node set probe = p_seen where measure = m.id and node = p_node and seen is null;
        update measure_node set seen = coalesce(seen, met_at) where measure = m.id and node = p_node;
    elsif met = 'open' and is_over then
        update measure_node set probe = p_seen where measure = m.id and node = p_node and seen_open is null;
        update measure_node set seen_open = coalesce(seen_open, met_at) where measure = m.id and node = p_node;
    elsif met = 'not-seen' then
        update measure_node set probe = p_seen
            where measure = m.id and node = p_node and case when is_over then seen_open else seen end is null;
    end if;
    select bool_and(case when is_over then seen_open else seen end is not null) into after_all from measure_node where measure = m.id;
    if after_all and not before_all then
        insert into event (account, solution, kind, by, data, visible_from)
            values (m.account, m.solution, case when is_over then 'measure.seen-open' else 'measure.seen' end, 'node',
                    jsonb_build_object('case', m.case_number, 'clause', m.clause), greatest(now(), coalesce(m.silent_until, now())));
    else
        perform pg_notify('husorden', '');
    end if;
end $$;
grant execute on function node_measure_seen(text, jsonb) to husorden_system;

-- A measure as strangers meet it on all its nodes: closed, open again, or not seen so and why. Null when no probe has said
-- anything of what holds now.
create function measure_seen(p_measure uuid) returns jsonb
language sql stable set search_path = public, pg_temp as $$
    with m as (select id, lifted is not null or coalesce(ends <= now(), false) as is_over from measure where id = p_measure),
         n as (select m.is_over, case when m.is_over then mn.seen_open else mn.seen end as met, mn.probe
                 from m join measure_node mn on mn.measure = m.id)
    select case
        when bool_and(met is not null) then
            (select probe from n order by met desc limit 1)
                || jsonb_build_object('what', case when bool_or(is_over) then 'open' else 'closed' end, 'at', max(met),
                                      'asked', sum((probe->>'asked')::int))
        else (select probe from n where met is null and probe->>'what' = 'not-seen' order by probe->>'at' desc limit 1)
        end
    from n
$$;
grant execute on function measure_seen(uuid) to husorden_tenant, husorden_staff;
