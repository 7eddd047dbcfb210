-- Snapshots on a schedule: when a solution's are taken, how many are kept, and that none could be taken.

create table snapshot_schedule (
    solution   uuid primary key references solution,
    account    uuid not null references account,
    every      text not null default 'off' check (every in ('off', 'hourly', 'daily', 'weekly')),
    -- Hour of the day in the zone, for those that are not hourly, and the day of the week of a weekly one.
    hour       smallint not null default 3 check (hour between 0 and 23),
    day        text not null default 'sunday'
               check (day in ('monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday')),
    zone       text not null default 'Europe/Copenhagen' check (length(zone) between 1 and 64),
    keep       smallint not null default 7 check (keep between 1 and 14),
    -- The time of the next one. It stays when it is missed, so that one is taken for all that were.
    due        timestamptz,
    -- Since when none could be taken, and why; told once, until one is taken again.
    missed     timestamptz,
    why        text check (why in ('full', 'closed', 'failed')),
    generation bigint not null default 1,
    constraint snapshot_schedule_due_fits check ((every = 'off') = (due is null)),
    constraint snapshot_schedule_missed_fits check ((missed is null) = (why is null))
);
create index snapshot_schedule_due on snapshot_schedule (due) where every <> 'off';

alter table snapshot_schedule enable row level security;
alter table snapshot_schedule force row level security;
create policy owner_all on snapshot_schedule to husorden_owner using (true) with check (true);
create policy tenant_own on snapshot_schedule to husorden_tenant using (account = bound_account()) with check (account = bound_account());
create policy tenant_scope on snapshot_schedule as restrictive to husorden_tenant
    using ((select scope_open()) or exists (select from solution s where s.id = snapshot_schedule.solution))
    with check ((select scope_open()) or exists (select from solution s where s.id = snapshot_schedule.solution));
create policy staff_see on snapshot_schedule for select to husorden_staff using (true);
grant select, update (every, hour, day, zone, keep, due, missed, why, generation) on snapshot_schedule to husorden_tenant;
grant select on snapshot_schedule to husorden_staff;

-- Each solution has a row from its first day, which says that there are none; what is there already gets one now.
insert into snapshot_schedule (solution, account) select id, account from solution where deleted is null;
create function schedule_snapshots() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into snapshot_schedule (solution, account) values (new.id, new.account);
    return null;
end $$;
create trigger schedule_snapshots after insert on solution for each row execute function schedule_snapshots();

-- The time on the schedule that a snapshot was taken for: one for each.
alter table snapshot add column slot timestamptz;
create unique index snapshot_slot_once on snapshot (solution, slot) where slot is not null;
create index snapshot_scheduled on snapshot (solution, taken) where before = 'schedule';

-- What the platform has done over and over by a schedule is no news; that it fails is told by the schedule, once.
alter table verb_order add column quiet boolean not null default false;

-- Whether a measure stands on a solution, also one that its owner is not told of yet.
create function is_closed(s solution) returns boolean
language sql stable set search_path = public, pg_temp as $$
    select exists (select from measure m where m.account = s.account and (m.solution is null or m.solution = s.id)
                    and m.lifted is null and m.starts <= now() and (m.ends is null or m.ends > now()))
$$;

-- Schedules whose time has come, and whose last order has ended. A stopped solution does not change, and a snapshot of it would push out one
-- that tells more: its time stays, and one is taken when it runs again.
create function snapshots_due(p_limit integer) returns setof jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object('solution', s.id, 'every', p.every, 'hour', p.hour, 'day', p.day, 'zone', p.zone, 'now', now())
    from snapshot_schedule p join solution s on s.id = p.solution
    where p.every <> 'off' and p.due <= now() and s.deleted is null and s.aim = 'run' and s.hold_for is null
      and jsonb_typeof(s.seen->'usage') = 'object'
      and not exists (select from snapshot n where n.solution = s.id and n.before = 'schedule' and n.state in ('taking', 'deleting'))
    order by p.due, p.solution limit p_limit
$$;

-- Says once that none could be taken; tried again at the next time.
create function snapshot_missed(p_solution uuid, p_why text, p_text jsonb) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    p snapshot_schedule;
begin
    select x.* into p from snapshot_schedule x join solution s on s.id = x.solution
        where x.solution = p_solution and x.every <> 'off' and s.aim <> 'gone' and s.deleted is null for update of x;
    if not found or p.missed is not null then return; end if;
    update snapshot_schedule set missed = now(), why = p_why where solution = p_solution;
    insert into event (account, solution, kind, by, data)
        select s.account, s.id, 'snapshot-schedule.missed', 'platform',
               jsonb_strip_nulls(jsonb_build_object('name', s.name, 'why', p_why, 'text', p_text))
        from solution s where s.id = p_solution;
end $$;

-- Lets go what is more than is kept, the oldest first: of those that the schedule took alone. One that another solution is still being
-- made from stays, and one that could not be removed is tried again in an hour. Nothing goes while a measure stands.
create function snapshots_expire(p_solution uuid) returns bigint
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    s solution;
    old uuid;
    order_id uuid;
    gone bigint := 0;
begin
    select * into s from solution
        where id = p_solution and deleted is null and aim <> 'gone' and (bound_account() is null or account = bound_account()) for update;
    if not found or is_closed(s) then return 0; end if;
    for old in
        select x.id from (select n.id, n.taken, row_number() over (order by n.taken desc, n.id desc) as place
                            from snapshot n where n.solution = s.id and n.before = 'schedule' and n.state = 'ready') x
        where x.place > (select p.keep from snapshot_schedule p where p.solution = s.id)
          and not exists (select from solution c where c.account = s.account and c.deleted is null and c.seen_generation = 0
                           and c.origin->>'snapshot' = x.id::text)
          and not exists (select from verb_order o where o.solution = s.id and o.snapshot = x.id and o.verb = 'snapshot-delete'
                           and o.state = 'failed' and o.ended > now() - interval '1 hour')
        order by x.taken, x.id
    loop
        order_id := ordered_id();
        update snapshot set state = 'deleting' where id = old;
        insert into verb_order (id, solution, account, node, verb, body, snapshot, quiet)
            values (order_id, s.id, s.account, s.node, 'snapshot-delete',
                    jsonb_build_object('verb', 'snapshot-delete', 'snapshot', old), old, true);
        insert into evidence (who, act, account, solution, before, await_order)
            values ('platform', 'order.snapshot-delete', s.account, s.id,
                    jsonb_build_object('order', order_id, 'snapshot', old, 'name', s.name, 'reason', 'schedule'), order_id);
        gone := gone + 1;
    end loop;
    return gone;
end $$;

-- Takes the one that is due, and says when the next is. False: none is taken. What cannot be taken now is missed, and said; from 90 percent
-- of the disk on none is taken, for each would hold what its owner clears up.
create function snapshot_begin(p_solution uuid, p_snapshot uuid, p_order uuid, p_next timestamptz) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    s solution;
    p snapshot_schedule;
begin
    select * into s from solution where id = p_solution and deleted is null and aim = 'run' and hold_for is null for update;
    if not found or exists (select from snapshot n where n.solution = s.id and n.slot is not null and n.state = 'taking') then
        return false;
    end if;
    select * into p from snapshot_schedule where solution = s.id and every <> 'off' and due <= now() for update;
    if not found then return false; end if;
    if is_closed(s) then
        update snapshot_schedule set due = p_next where solution = s.id;
        -- What an order keeps silent is not told by this either.
        if not exists (select from measure m where m.account = s.account and (m.solution is null or m.solution = s.id)
                        and m.lifted is null and m.starts <= now() and (m.ends is null or m.ends > now()) and m.silent_until > now()) then
            perform snapshot_missed(s.id, 'closed', null);
        end if;
        return false;
    end if;
    if s.filled >= 90 then
        update snapshot_schedule set due = p_next where solution = s.id;
        perform snapshot_missed(s.id, 'full', null);
        return false;
    end if;
    -- While those that are too many do not go, no more come, so that there are never more than one beyond what is kept.
    if (select count(*) from snapshot n where n.solution = s.id and n.before = 'schedule' and n.state in ('ready', 'deleting')) > p.keep then
        perform snapshots_expire(s.id);
        if not exists (select from snapshot n where n.solution = s.id and n.before = 'schedule' and n.state = 'deleting') then
            update snapshot_schedule set due = p_next where solution = s.id;
            perform snapshot_missed(s.id, 'failed', jsonb_build_object('da', 'Et, der er for gammelt, kunne ikke fjernes.',
                                                                       'en', 'One that is too old could not be removed.'));
        end if;
        return false;
    end if;
    update snapshot_schedule set due = p_next where solution = s.id;
    insert into snapshot (id, solution, account, label, before, state, spec, slot)
        values (p_snapshot, s.id, s.account, '', 'schedule', 'taking', s.spec, p.due)
        on conflict (solution, slot) where slot is not null do nothing;
    if not found then return false; end if;
    insert into verb_order (id, solution, account, node, verb, body, snapshot, quiet)
        values (p_order, s.id, s.account, s.node, 'snapshot',
                jsonb_build_object('verb', 'snapshot', 'snapshot', p_snapshot, 'label', '', 'before', 'schedule'), p_snapshot, true);
    insert into evidence (who, act, account, solution, before, await_order)
        values ('platform', 'order.snapshot', s.account, s.id,
                jsonb_build_object('order', p_order, 'snapshot', p_snapshot, 'name', s.name, 'reason', 'schedule', 'slot', p.due), p_order);
    perform pg_notify('husorden', '');
    return true;
end $$;

-- What came of an order of the schedule's.
create function scheduled_ended() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if new.state = 'failed' then
        -- One that was never taken leaves no line in the list; should the node have it all the same, it names it.
        delete from snapshot where id = new.snapshot and slot is not null and state = 'taking';
        perform snapshot_missed(new.solution, 'failed', new.refusal->'detail');
    elsif new.verb = 'snapshot' then
        update snapshot_schedule set missed = null, why = null where solution = new.solution and missed is not null;
    end if;
    return null;
end $$;
create trigger scheduled_ended after update of state on verb_order for each row
    when (new.quiet and new.state in ('done', 'failed') and old.state not in ('done', 'failed')) execute function scheduled_ended();

-- A new one that is there lets the oldest go.
create function scheduled_taken() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform snapshots_expire(new.solution);
    return null;
end $$;
create trigger scheduled_taken after update of state on snapshot for each row
    when (new.before = 'schedule' and new.state = 'ready' and old.state in ('taking', 'failed')) execute function scheduled_taken();

-- How far an order is, as before; those of a schedule are no events.
create or replace function node_progress(p_node text, p_order uuid, p_state jsonb) returns text
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
        update verb_order set state = 'done', ended = now(), progress = null, result = p_state->'result' where id = o.id;
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
    if o.verb = 'backup-read' or o.quiet then
        perform pg_notify('husorden', '');
        return o.spool;
    end if;
    insert into event (account, solution, kind, by, data)
        values (o.account, o.solution, 'order.' || outcome, 'node',
                jsonb_build_object('order', o.id, 'verb', o.verb, 'text', p_state->'refusal'->'detail'));
    return o.spool;
end $$;

insert into job (kind, every_s) values ('snapshot-schedule', 15);
grant execute on function snapshots_due(integer), snapshot_begin(uuid, uuid, uuid, timestamptz) to husorden_system;
grant execute on function snapshots_expire(uuid) to husorden_tenant;

-- What an account is mailed of, now also that its snapshots are taken otherwise, or cannot be.
create or replace function mail_topic(p_kind text, p_data jsonb) returns text
language sql immutable set search_path = public, pg_temp as $$
    select case
        when p_kind in ('measure.decided', 'measure.taken', 'measure.lifted', 'measure.ended', 'complaint.made', 'complaint.answered') then 'decisions'
        when p_kind in ('grant.given', 'grant.broken', 'grant.used', 'token.created', 'token.revoked', 'webhook.created', 'webhook.changed',
                        'webhook.deleted', 'member.rescued') then 'access'
        when p_kind in ('order.done', 'order.failed') and p_data->>'verb' in ('back-up', 'prove', 'backup-read') then null
        when p_kind = 'backup.failed' and (p_data->>'again')::boolean then null
        when p_kind in ('solution.trouble', 'update.rolled-back', 'log.broken', 'volume.filling', 'volume.full', 'volume.room', 'wish.refused',
                        'order.failed', 'webhook.failed', 'backup.failed', 'backup.missing', 'proof.failed', 'snapshot-schedule.missed') then 'trouble'
        when p_kind in ('solution.deleted', 'solution.undone', 'solution.buried', 'solution.key-destroyed') then 'deletion'
        when p_kind in ('solution.created', 'solution.changed', 'solution.started', 'solution.stopped', 'credential.changed', 'update.held',
                        'backup-plan.changed', 'snapshot-schedule.changed') then 'work'
        -- The daily one is no news.
        when p_kind = 'backup.ready' and p_data->>'reason' is distinct from 'daily' then 'work'
        -- A solution that wakes and sleeps is no news.
        when p_kind = 'order.done' and coalesce(p_data->>'verb', '') not in ('wake', 'sleep') then 'work'
        when p_kind like 'subscription.%' or p_kind = 'payment.entered' then 'money'
        when p_kind in ('member.invited', 'member.changed', 'member.removed', 'account.changed') then 'members'
        when p_kind in ('rules.published', 'rules.accepted') then 'rules'
    end
$$;
