-- The node link's half of the system door. Reports are taken as they come; what is about unknown rows is passed over, for a
-- node may know more than a control that was restored.

create function measure_json(m measure) returns jsonb language sql stable as $$
    select jsonb_build_object('id', m.id, 'revision', m.revision, 'case', m.case_id, 'case_number', m.case_number,
        'clause', m.clause,
        'scope', case when m.solution is null then jsonb_build_object('of', 'account', 'id', m.account)
                      else jsonb_build_object('of', 'solution', 'id', m.solution) end,
        'access', m.access, 'fates', m.fates, 'starts', m.starts, 'ends', m.ends, 'silent_until', m.silent_until, 'lifted', m.lifted)
$$;

create function wish_json(s solution) returns jsonb language sql stable as $$
    select jsonb_build_object('solution', s.id, 'number', s.number, 'account', s.account, 'kind', s.kind, 'epoch', s.epoch,
                              'name', s.name, 'aim', s.aim, 'spec', s.spec, 'credentials', s.credentials,
                              'retain_until', s.retain_until, 'generation', s.generation)
        || coalesce(s.held, '{}')
$$;

create function node_hello(p_node text, p_link uuid, p_version integer) returns jsonb
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into node (name, link, connected, heard, version) values (p_node, p_link, true, now(), p_version)
        on conflict (name) do update set link = p_link, connected = true, heard = now(), version = p_version;
    -- A measure on an account holds on every node there is: what the account makes later may land on any.
    insert into measure_node (measure, node)
        select id, p_node from measure where solution is null and lifted is null on conflict do nothing;
    return jsonb_build_object('epoch', (select epoch from platform));
end $$;

create function node_goodbye(p_node text, p_link uuid) returns void
language sql security definer set search_path = public, pg_temp as $$
    update node set connected = false where name = p_node and link = p_link
$$;

-- What this node must be told since a reading: first the cursor of the next reading, then measures, then orders, then wishes.
create function node_changes(p_node text, p_since bigint) returns table (say jsonb)
language sql stable security definer set search_path = public, pg_temp as $$
    select x.say from (
        select 0 as rank, 0::bigint as touched, null::uuid as id,
               jsonb_build_object('cursor', pg_snapshot_xmin(pg_current_snapshot())::text::bigint) as say
        union all
        select 1, m.touched, m.id, jsonb_build_object('say', 'measure', 'measure', measure_json(m))
        from measure_node n join measure m on m.id = n.measure
        where n.node = p_node and n.state <> 'lifted' and m.touched >= p_since
        union all
        select 2, 0, o.id, jsonb_build_object('say', 'verb', 'order', o.id, 'solution', o.solution, 'verb', o.body)
        from verb_order o where o.node = p_node and o.state in ('queued', 'running') and o.touched >= p_since
        union all
        select 3, 0, s.id, jsonb_build_object('say', 'wish', 'wish', wish_json(s))
        from solution s where s.node = p_node and s.deleted is null and s.touched >= p_since
        union all
        select 4, 0, q.id, jsonb_build_object('say', 'ask', 'question', q.id, 'solution', q.solution, 'about', q.about)
        from question q where q.node = p_node and q.answer is null and q.touched >= p_since and q.asked > now() - interval '30 seconds'
    ) x order by x.rank, x.touched, x.id
$$;

-- How full a volume is, in steps; one is left only with two percent of room below it, so that it is not said over and over.
create function filled(p_usage jsonb, p_before smallint) returns smallint
language plpgsql immutable set search_path = public, pg_temp as $$
declare
    percent numeric := 100 * ((p_usage->>'live')::numeric + (p_usage->>'snapshots')::numeric) / nullif((p_usage->>'limit')::numeric, 0);
    reached smallint := case when (p_usage->>'full')::boolean then 100 when percent >= 90 then 90 when percent >= 80 then 80 else 0 end;
begin
    if percent is null then return p_before; end if;
    return case when p_before in (80, 90) and reached < p_before and percent > p_before - 2 then p_before else reached end;
end $$;

-- A look at one solution. Older reports of the same connection are passed over. What a failed look does not list is not gone:
-- then what was seen last of the volume, its snapshots and the services is kept.
create function node_seen(p_node text, p_link uuid, p_seen jsonb) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    s solution;
    state text := p_seen->>'state';
    looked boolean := coalesce((p_seen->>'looked')::boolean, false);
    settled_on bigint;
    snap jsonb;
    turned boolean;
    fill smallint;
begin
    select * into s from solution where id = (p_seen->>'solution')::uuid and node = p_node and deleted is null for update;
    if not found then return; end if;
    if s.seen_link = p_link and s.seen is not null and (s.seen->>'report')::bigint > (p_seen->>'report')::bigint then return; end if;
    settled_on := case when state = 'settled' and (p_seen->>'epoch')::bigint = s.epoch then (p_seen->>'generation')::bigint end;
    turned := s.seen_state is distinct from state;
    if not looked and s.seen is not null then
        p_seen := p_seen || jsonb_build_object(
            'usage', s.seen->'usage', 'snapshots', coalesce(s.seen->'snapshots', '[]'),
            'marks', coalesce(s.seen->'marks', '{}'), 'services', coalesce(s.seen->'services', '{}'));
    end if;
    fill := filled(p_seen->'usage', s.filled);
    update solution set seen = p_seen, seen_state = state, seen_link = p_link,
        seen_generation = greatest(seen_generation, least(coalesce(settled_on, 0), generation)),
        filled = fill
        where id = s.id;
    if fill > s.filled then
        insert into event (account, solution, kind, by, data)
            values (s.account, s.id, case fill when 100 then 'volume.full' else 'volume.filling' end, 'node',
                    jsonb_build_object('name', s.name, 'percent', fill));
    elsif s.filled = 100 and fill < 100 then
        insert into event (account, solution, kind, by, data)
            values (s.account, s.id, 'volume.room', 'node', jsonb_build_object('name', s.name));
    end if;
    if looked then
        for snap in select * from jsonb_array_elements(coalesce(p_seen->'snapshots', '[]')) loop
            insert into snapshot (id, solution, account, label, before, state, taken)
                values ((snap->>'id')::uuid, s.id, s.account, left(coalesce(snap->>'label', ''), 200), snap->>'before', 'ready', (snap->>'taken')::timestamptz)
                on conflict (id) do update set taken = excluded.taken,
                    state = case when snapshot.state in ('taking', 'failed') then 'ready' else snapshot.state end
                where snapshot.solution = s.id;
        end loop;
        -- What the node listed once and lists no longer is no snapshot any more; a young one may have been taken after the look.
        delete from snapshot n where n.solution = s.id and n.state in ('ready', 'deleting') and n.taken < (p_seen->>'at')::timestamptz - interval '1 minute'
            and not exists (select from jsonb_array_elements(coalesce(p_seen->'snapshots', '[]')) e where (e->>'id')::uuid = n.id);
    end if;
    if settled_on is not null then
        update evidence set ended = now(), after = jsonb_build_object('settled', settled_on)
            where solution = s.id and ended is null and await_generation <= settled_on;
    end if;
    if settled_on = s.generation and s.seen_generation < settled_on then
        if s.aim <> 'gone' or not bury(s.id) then
            insert into event (account, solution, kind, by, data)
                values (s.account, s.id, 'solution.settled', 'node', jsonb_build_object('name', s.name, 'aim', s.aim));
        end if;
    elsif settled_on = s.generation and s.aim = 'gone' then
        perform bury(s.id);
    elsif state = 'trouble' and turned then
        insert into event (account, solution, kind, by, data)
            values (s.account, s.id, 'solution.trouble', 'node', jsonb_build_object('name', s.name, 'text', p_seen->'waiting'->'text'));
    end if;
end $$;

-- A wish that the node will not have. Said in the solution's sight, so that it is seen and not lost in a log.
create function node_wish_refused(p_node text, p_solution uuid, p_epoch bigint, p_generation bigint, p_why text) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare s solution;
begin
    select * into s from solution where id = p_solution and node = p_node and deleted is null for update;
    if not found or s.epoch <> p_epoch or s.generation <> p_generation then return; end if;
    insert into event (account, solution, kind, by, data)
        values (s.account, s.id, 'wish.refused', 'node', jsonb_build_object('name', s.name, 'why', left(p_why, 1000)));
end $$;

-- How far an order is. Returns the spool file that is needed no more.
create function node_progress(p_node text, p_order uuid, p_state jsonb) returns text
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    o verb_order;
    s solution;
    outcome text := p_state->>'is';
begin
    -- The solution first: every writer takes its lock before the order's, so that two never wait for each other.
    select * into s from solution where id = (select solution from verb_order where id = p_order and node = p_node) for update;
    if not found then return null; end if;
    select * into o from verb_order where id = p_order for update;
    if o.state in ('done', 'failed') then return null; end if;
    if outcome = 'running' then
        update verb_order set state = 'running', progress = p_state where id = o.id;
        perform pg_notify('husorden', '');
        return null;
    end if;
    if outcome = 'done' then
        update verb_order set state = 'done', ended = now(), progress = null where id = o.id;
        if o.verb = 'snapshot-delete' then
            delete from snapshot where id = o.snapshot;
        else
            update snapshot set state = 'ready', taken = now()
                where solution = o.solution and state = 'taking' and (id = o.snapshot or id::text = o.body->>'before');
        end if;
        if s.hold_for = o.id then
            delete from claim where solution = s.id and state = 'going';
            update claim set state = 'held' where solution = s.id and state = 'coming';
            update solution set hold_for = null, held = null where id = s.id;
        end if;
    else
        update verb_order set state = 'failed', ended = now(), progress = null, refusal = p_state->'refusal' where id = o.id;
        update snapshot set state = 'failed' where solution = o.solution and state = 'taking' and (id = o.snapshot or id::text = o.body->>'before');
        update snapshot set state = 'ready' where id = o.snapshot and state = 'deleting';
        update snapshot set undone = null where id = o.undoes;
        if s.hold_for = o.id then
            -- Without its snapshot the change is not made: back to the spec that the node holds, under a new generation.
            delete from claim where solution = s.id and state = 'coming';
            update claim set state = 'held' where solution = s.id and state = 'going';
            update solution set spec = s.held->'spec', generation = s.generation + 1, hold_for = null, held = null, changed = now()
                where id = s.id;
        end if;
    end if;
    update evidence set ended = now(), after = jsonb_strip_nulls(jsonb_build_object('order', outcome, 'refusal', p_state->'refusal'->>'code'))
        where solution = o.solution and ended is null and await_order = o.id;
    insert into event (account, solution, kind, by, data)
        values (o.account, o.solution, 'order.' || outcome, 'node',
                jsonb_build_object('order', o.id, 'verb', o.verb, 'text', p_state->'refusal'->'detail'));
    return o.spool;
end $$;

create function node_measured(p_node text, p_measure uuid, p_revision bigint, p_state text, p_at timestamptz) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    m measure;
    before_all record;
    after_all record;
begin
    select * into m from measure where id = p_measure for update;
    if not found or p_revision < m.revision then return; end if;
    select bool_and(in_force is not null) as force, bool_and(state = 'lifted') as lifted into before_all from measure_node where measure = m.id;
    if p_state = 'kept' then
        update measure_node set kept = coalesce(kept, p_at), state = case when state = 'ordered' then 'kept' else state end
            where measure = m.id and node = p_node;
    elsif p_state = 'inforce' and m.lifted is null then
        update measure_node set kept = coalesce(kept, p_at), in_force = coalesce(in_force, p_at), state = 'in-force'
            where measure = m.id and node = p_node;
    elsif p_state = 'lifted' and m.lifted is not null then
        update measure_node set lifted = coalesce(lifted, p_at), state = 'lifted' where measure = m.id and node = p_node;
    end if;
    select bool_and(in_force is not null) as force, bool_and(state = 'lifted') as lifted into after_all from measure_node where measure = m.id;
    if after_all.force and not before_all.force then
        update evidence set ended = now(), after = jsonb_build_object('in_force', p_at)
            where ended is null and act = 'measure.begin' and await_measure = m.id;
        insert into event (account, solution, kind, by, data, visible_from)
            values (m.account, m.solution, 'measure.in-force', 'node', jsonb_build_object('case', m.case_number, 'clause', m.clause),
                    greatest(now(), coalesce(m.silent_until, now())));
    elsif after_all.lifted and not before_all.lifted then
        update evidence set ended = now(), after = jsonb_build_object('lifted', p_at)
            where ended is null and act in ('measure.begin', 'measure.lift') and await_measure = m.id;
        insert into event (account, solution, kind, by, data, visible_from)
            values (m.account, m.solution, 'measure.lifted', 'node', jsonb_build_object('case', m.case_number, 'clause', m.clause),
                    greatest(now(), coalesce(m.silent_until, now())));
    else
        perform pg_notify('husorden', '');
    end if;
end $$;

-- A measure taken, or lifted, on the node while control was dead. Gets a case if it has none; returns the measure as the node is
-- to hold it, or null when what it is about is unknown here. Saying it again changes nothing.
create function node_measure_taken(p_node text, p_measure jsonb, p_reasons text, p_case uuid) returns jsonb
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    m measure;
    held_account uuid;
    held_solution uuid;
    c case_file;
    taken timestamptz := (p_measure->>'lifted')::timestamptz;
    quiet timestamptz := greatest(now(), coalesce((p_measure->>'silent_until')::timestamptz, now()));
begin
    if p_measure->'scope'->>'of' = 'solution' then
        select id, account into held_solution, held_account from solution where id = (p_measure->'scope'->>'id')::uuid;
    else
        select id into held_account from account where id = (p_measure->'scope'->>'id')::uuid;
    end if;
    if held_account is null then return null; end if;
    perform pg_advisory_xact_lock(4813);
    if (p_measure->>'revision')::bigint >= (select last_value from measure_revision) then
        perform setval('measure_revision', (p_measure->>'revision')::bigint);
    end if;
    select * into m from measure where id = (p_measure->>'id')::uuid for update;
    if not found then
        -- A number that another case bears already is told apart by the node's name.
        insert into case_file (id, number, account, solution, clause, facts)
            select p_case, case when exists (select from case_file where number = p_measure->>'case_number')
                                then (p_measure->>'case_number') || '-' || p_node || '-' || left(p_measure->>'id', 8)
                                else p_measure->>'case_number' end,
                   held_account, held_solution, p_measure->>'clause', 'Taken on node ' || p_node || ': ' || left(p_reasons, 10000)
            returning * into c;
        insert into measure (id, case_id, case_number, clause, account, solution, access, fates, reasons, starts, ends, silent_until, lifted)
            values ((p_measure->>'id')::uuid, c.id, c.number, p_measure->>'clause', held_account, held_solution, p_measure->>'access',
                    p_measure->'fates', left(p_reasons, 10000), (p_measure->>'starts')::timestamptz, (p_measure->>'ends')::timestamptz,
                    (p_measure->>'silent_until')::timestamptz, taken)
            returning * into m;
        if m.solution is null then
            insert into measure_node (measure, node) select m.id, name from node on conflict do nothing;
        else
            insert into measure_node (measure, node) values (m.id, p_node) on conflict do nothing;
        end if;
        if m.ends is not null then
            insert into job (kind, subject, due) values ('measure-end', jsonb_build_object('measure', m.id), m.ends);
        end if;
        insert into evidence (who, act, account, solution, before, await_measure, visible_from)
            values ('node:' || p_node, 'measure.begin', m.account, m.solution, p_measure, m.id, quiet);
        insert into event (account, solution, kind, by, data, visible_from)
            values (m.account, m.solution, 'measure.taken', 'node', jsonb_build_object('case', m.case_number, 'clause', m.clause), quiet);
    elsif taken is not null and m.lifted is null then
        update measure set lifted = taken, lift_reasons = left(p_reasons, 10000), revision = nextval('measure_revision') where id = m.id
            returning * into m;
        insert into evidence (who, act, account, solution, before, await_measure, visible_from)
            values ('node:' || p_node, 'measure.lift', m.account, m.solution, p_measure, m.id, quiet);
        insert into event (account, solution, kind, by, data, visible_from)
            values (m.account, m.solution, 'measure.lift', 'node', jsonb_build_object('case', m.case_number, 'clause', m.clause), quiet);
    end if;
    return measure_json(m);
end $$;

create function node_evidence(p_node text, p_line jsonb) returns void
language sql security definer set search_path = public, pg_temp as $$
    insert into evidence (begun, ended, who, act, account, solution, before, node, serial, visible_from)
    select (p_line->>'at')::timestamptz, (p_line->>'at')::timestamptz, 'node:' || p_node, left(p_line->>'act', 200),
           (select account from solution where id = (p_line->>'solution')::uuid), (p_line->>'solution')::uuid,
           coalesce(p_line->'detail', '{}'), p_node, (p_line->>'serial')::bigint,
           coalesce((select greatest(now(), max(silent_until)) from measure where id::text = p_line->'detail'->>'measure'), now())
    on conflict (node, serial) do nothing
$$;

create function node_health(p_node text, p_link uuid, p_health jsonb) returns void
language sql security definer set search_path = public, pg_temp as $$
    update node set heard = now(), connected = true, health = p_health where name = p_node and link = p_link
$$;

-- The spool file of an open order, for the node that fetches it.
create function order_spool(p_order uuid) returns text
language sql stable security definer set search_path = public, pg_temp as $$
    select spool from verb_order where id = p_order and state in ('queued', 'running')
$$;

grant execute on function node_hello(text, uuid, integer), node_goodbye(text, uuid), node_changes(text, bigint), node_seen(text, uuid, jsonb),
    node_wish_refused(text, uuid, bigint, bigint, text), node_progress(text, uuid, jsonb), node_measured(text, uuid, bigint, text, timestamptz),
    node_measure_taken(text, jsonb, text, uuid), node_evidence(text, jsonb), node_health(text, uuid, jsonb), order_spool(uuid)
    to husorden_system;
