-- What nodes say of backups and proofs, the schedule of both, and solutions made from backups.

-- What came of an order, where that is more than that it is done.
alter table verb_order add column result jsonb;

-- A backup that a solution's volume is made from.
alter table solution add column from_backup jsonb;
grant insert (from_backup) on solution to husorden_tenant;
create or replace function wish_json(s solution) returns jsonb language sql stable as $$
    select jsonb_build_object('solution', s.id, 'number', s.number, 'account', s.account, 'kind', s.kind, 'epoch', s.epoch,
                              'name', s.name, 'aim', s.aim, 'spec', s.spec, 'credentials', s.credentials, 'from', s.origin,
                              'from_backup', s.from_backup, 'retain_until', s.retain_until, 'generation', s.generation)
        || coalesce(s.held, '{}')
$$;

-- How far an order is. Returns the spool file that is needed no more. That something was read is no event: who reads a backup folder by
-- folder asks often.
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
    if o.verb = 'backup-read' then
        perform pg_notify('husorden', '');
        return o.spool;
    end if;
    insert into event (account, solution, kind, by, data)
        values (o.account, o.solution, 'order.' || outcome, 'node',
                jsonb_build_object('order', o.id, 'verb', o.verb, 'text', p_state->'refusal'->'detail'));
    return o.spool;
end $$;

-- A count that a node said, as far as it can be kept.
create function counted(p_said text) returns bigint language sql immutable set search_path = public, pg_temp as $$
    select least(greatest(coalesce(p_said::numeric, 0), 0), 9223372036854775807)::bigint
$$;

-- The end of an order to back up or to prove, whoever ended it, is the end of the backup or the proof. A node says an end again and again;
-- an order ends once.
create function backup_ended() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    b backup;
    of_name text := (select name from solution where id = new.solution);
    said jsonb := new.result;
    lately timestamptz;
begin
    select * into b from backup where order_id = new.id and state = 'writing' for update;
    if not found then return null; end if;
    if new.state = 'done' and said->>'of' = 'backed-up' and length(said->>'copy') between 1 and 200 then
        update backup set state = 'ready', copy = said->>'copy', taken = least((said->>'taken')::timestamptz, now()),
            snapshot = (said->>'snapshot')::uuid, files = counted(said->>'files'), bytes = counted(said->>'bytes'),
            bytes_read = counted(said->>'bytes_read'), bytes_sent = counted(said->>'bytes_sent'), took_ms = counted(said->>'took_ms'),
            noted = coalesce(said->'noted', '{}'), ended = now()
            where id = b.id returning * into b;
        update backup_plan set newest = greatest(newest, b.taken), failed = null, unproven = b.id where solution = b.solution;
        insert into evidence (ended, who, act, account, solution, before, after)
            values (now(), 'node:' || new.node, 'backup.ready', b.account, b.solution,
                    jsonb_build_object('backup', b.id, 'copy', b.copy, 'taken', b.taken, 'files', b.files, 'bytes', b.bytes, 'sent', b.bytes_sent,
                                       'took_ms', b.took_ms, 'target', (select name from target where id = b.target)), '{}');
        insert into event (account, solution, kind, by, data)
            values (b.account, b.solution, 'backup.ready', 'node',
                    jsonb_build_object('name', of_name, 'backup', b.id, 'reason', b.reason, 'bytes', b.bytes));
    else
        update backup set state = 'failed', refusal = new.refusal, ended = now() where id = b.id;
        select failed into lately from backup_plan where solution = b.solution;
        -- A daily one that failed is tried again in an hour, and the account is told of the first only.
        update backup_plan set failed = coalesce(failed, now()),
            due = case when b.reason = 'daily' then least(due, now() + interval '1 hour') else due end where solution = b.solution;
        insert into event (account, solution, kind, by, data)
            values (b.account, b.solution, 'backup.failed', 'node',
                    jsonb_build_object('name', of_name, 'backup', b.id, 'again', lately is not null, 'text', new.refusal->'detail'));
    end if;
    return null;
end $$;
create trigger backup_ended after update of state on verb_order for each row
    when (new.verb = 'back-up' and new.state in ('done', 'failed') and old.state not in ('done', 'failed')) execute function backup_ended();

create function proof_ended() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    f proof;
    of_name text := (select name from solution where id = new.solution);
    said jsonb := new.result;
    came text := case when new.state = 'done' and said->>'of' = 'proven'
                      then case when (said->>'passed')::boolean then 'passed' else 'failed' end else 'ended' end;
    why jsonb;
begin
    select * into f from proof where order_id = new.id and state = 'proving' for update;
    if not found then return null; end if;
    if came = 'ended' then
        update proof set state = came, refusal = new.refusal, ended = now() where id = f.id;
        why := new.refusal->'detail';
    else
        update proof set state = came, level = said->>'level', steps = coalesce(said->'steps', '[]'), found = coalesce(said->'found', '{}'),
            bytes = counted(said->>'bytes'), took_ms = counted(said->>'took_ms'), ended = now() where id = f.id returning * into f;
        update backup_plan set unproven = case when unproven = f.backup then null else unproven end,
            proven = case when came = 'passed' then now() else proven end,
            proof_failed = case when came = 'failed' then coalesce(proof_failed, now()) end
            where solution = f.solution;
        why := (select step->'failed' from jsonb_array_elements(f.steps) step where jsonb_typeof(step->'failed') = 'object' limit 1);
        insert into evidence (ended, who, act, account, solution, before, after)
            values (now(), 'node:' || new.node, 'proof.' || came, f.account, f.solution,
                    jsonb_build_object('proof', f.id, 'backup', f.backup, 'level', f.level, 'took_ms', f.took_ms, 'bytes', f.bytes,
                                       'why', why), '{}');
    end if;
    insert into event (account, solution, kind, by, data)
        values (f.account, f.solution, 'proof.' || came, 'node',
                jsonb_build_object('name', of_name, 'proof', f.id, 'backup', f.backup, 'level', f.level, 'took_ms', f.took_ms, 'text', why));
    return null;
end $$;
create trigger proof_ended after update of state on verb_order for each row
    when (new.verb = 'prove' and new.state in ('done', 'failed') and old.state not in ('done', 'failed')) execute function proof_ended();

-- Plans whose time has come, or that have none yet. Where nothing can be backed up now, the time stays as it is.
create function backups_due(p_own text, p_limit integer) returns setof jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object('solution', s.id, 'hour', p.hour, 'hours', p.hours, 'zone', p.zone, 'due', p.due, 'newest', p.newest, 'now', now())
    from backup_plan p join solution s on s.id = p.solution
    where p.enabled and (p.due is null or p.due <= now()) and s.deleted is null and s.aim <> 'gone'
      and jsonb_typeof(s.seen->'usage') = 'object' and not is_sealed(s)
      and target_of(s.id, p_own) is not null
      and not exists (select from backup b where b.solution = s.id and b.state = 'writing')
    order by p.due nulls first, p.solution limit p_limit
$$;

create function backup_wait(p_solution uuid, p_due timestamptz) returns void
language sql security definer set search_path = public, pg_temp as $$
    update backup_plan set due = p_due where solution = p_solution and enabled
$$;

-- Begins the daily backup that is due, and says when the next is. False: something has changed since it was found due.
create function backup_begin(p_solution uuid, p_own text, p_backup uuid, p_order uuid, p_next timestamptz) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    s solution;
    at_target uuid;
begin
    select * into s from solution where id = p_solution and deleted is null and aim <> 'gone' for update;
    if not found or is_sealed(s) or exists (select from backup where solution = s.id and state = 'writing') then return false; end if;
    update backup_plan set due = p_next where solution = s.id and enabled and due <= now();
    if not found then return false; end if;
    at_target := target_of(s.id, p_own);
    if at_target is null then return false; end if;
    insert into backup (id, solution, account, target, order_id, reason, spec) values (p_backup, s.id, s.account, at_target, p_order, 'daily', s.spec);
    insert into verb_order (id, solution, account, node, verb, body)
        values (p_order, s.id, s.account, s.node, 'back-up',
                jsonb_build_object('verb', 'back-up', 'backup', p_backup, 'repository', repository_of(s.id, at_target)));
    insert into evidence (who, act, account, solution, before, await_order)
        values ('platform', 'order.back-up', s.account, s.id,
                jsonb_build_object('order', p_order, 'backup', p_backup, 'name', s.name, 'reason', 'daily'), p_order);
    perform pg_notify('husorden', '');
    return true;
end $$;

-- Solutions whose newest backup no proof has ended for: one a day for each, again after an hour where it could not be carried out.
create function proofs_due(p_limit integer) returns setof uuid
language sql stable security definer set search_path = public, pg_temp as $$
    select s.id from backup_plan p join solution s on s.id = p.solution join backup b on b.id = p.unproven
    where p.unproven is not null and b.state = 'ready' and s.deleted is null and s.aim <> 'gone' and not is_sealed(s)
      and not exists (select from proof f where f.solution = s.id
                       and (f.state = 'proving' or f.made > now() - case f.state when 'ended' then interval '1 hour' else interval '20 hours' end))
    order by p.proven nulls first, p.solution limit p_limit
$$;

-- Begins a proof at the node for proofs, or, where there is none, at the solution's own.
create function proof_begin(p_solution uuid, p_node text, p_proof uuid, p_order uuid) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    s solution;
    b backup;
    at_node text;
begin
    select * into s from solution where id = p_solution and deleted is null and aim <> 'gone' for update;
    if not found or is_sealed(s) or exists (select from proof where solution = s.id and state = 'proving') then return false; end if;
    select b2.* into b from backup_plan p join backup b2 on b2.id = p.unproven where p.solution = s.id and b2.state = 'ready';
    if not found then return false; end if;
    at_node := coalesce((select name from node where name = p_node and heard is not null), s.node);
    insert into proof (id, backup, solution, account, node, order_id) values (p_proof, b.id, s.id, s.account, at_node, p_order);
    insert into verb_order (id, solution, account, node, verb, body)
        values (p_order, s.id, s.account, at_node, 'prove',
                jsonb_build_object('verb', 'prove', 'proof', p_proof, 'repository', repository_of(s.id, b.target), 'copy', b.copy, 'level', 'opened'));
    insert into evidence (who, act, account, solution, before, await_order)
        values ('platform', 'order.prove', s.account, s.id,
                jsonb_build_object('order', p_order, 'proof', p_proof, 'backup', b.id, 'name', s.name), p_order);
    perform pg_notify('husorden', '');
    return true;
end $$;

-- A proof that nobody has ended in a day is given up, so that the next is made, perhaps by another node.
create function proofs_give_up() returns bigint
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    o record;
    given bigint := 0;
begin
    for o in select v.id, v.node from proof f join verb_order v on v.id = f.order_id
              where f.state = 'proving' and f.made < now() - interval '24 hours' and v.state in ('queued', 'running') loop
        perform node_progress(o.node, o.id, jsonb_build_object('is', 'failed', 'refusal', jsonb_build_object(
            'code', 'proof-late', 'status', 504,
            'title', jsonb_build_object('da', 'Prøven blev ikke færdig', 'en', 'The proof did not end'),
            'detail', jsonb_build_object('da', format('Serveren %s har ikke sagt, hvordan den gik, i et døgn.', o.node),
                                         'en', format('The node %s has not said in a day how it went.', o.node)))));
        given := given + 1;
    end loop;
    return given;
end $$;

insert into job (kind, every_s) values ('backup-schedule', 15);
grant execute on function backups_due(text, integer), backup_wait(uuid, timestamptz), backup_begin(uuid, text, uuid, uuid, timestamptz),
    proofs_due(integer), proof_begin(uuid, text, uuid, uuid), proofs_give_up() to husorden_system;

-- What fails is trouble. Backups, proofs and what is read of them have events of their own, so their orders are no news.
create or replace function mail_topic(p_kind text, p_data jsonb) returns text
language sql immutable set search_path = public, pg_temp as $$
    select case
        when p_kind in ('measure.decided', 'measure.taken', 'measure.lifted', 'measure.ended', 'complaint.made', 'complaint.answered') then 'decisions'
        when p_kind in ('grant.given', 'grant.broken', 'grant.used', 'token.created', 'token.revoked', 'webhook.created', 'webhook.changed',
                        'webhook.deleted', 'member.rescued') then 'access'
        when p_kind in ('order.done', 'order.failed') and p_data->>'verb' in ('back-up', 'prove', 'backup-read') then null
        when p_kind = 'backup.failed' and (p_data->>'again')::boolean then null
        when p_kind in ('solution.trouble', 'update.rolled-back', 'log.broken', 'volume.filling', 'volume.full', 'volume.room', 'wish.refused',
                        'order.failed', 'webhook.failed', 'backup.failed', 'proof.failed') then 'trouble'
        when p_kind in ('solution.deleted', 'solution.undone', 'solution.buried') then 'deletion'
        when p_kind in ('solution.created', 'solution.changed', 'solution.started', 'solution.stopped', 'credential.changed', 'update.held',
                        'backup-plan.changed') then 'work'
        -- The daily one is no news.
        when p_kind = 'backup.ready' and p_data->>'reason' is distinct from 'daily' then 'work'
        -- A solution that wakes and sleeps is no news.
        when p_kind = 'order.done' and coalesce(p_data->>'verb', '') not in ('wake', 'sleep') then 'work'
        when p_kind like 'subscription.%' or p_kind = 'payment.entered' then 'money'
        when p_kind in ('member.invited', 'member.changed', 'member.removed', 'account.changed') then 'members'
        when p_kind in ('rules.published', 'rules.accepted') then 'rules'
    end
$$;

-- How the house is, with its backups.
create or replace function house_look() returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object(
        'at', now(),
        'jobs', (select coalesce(jsonb_agg(j), '[]') from (
            select kind, count(*) filter (where done is null and dead is null) as open,
                   count(*) filter (where done is null and dead is null and due < now() - interval '1 minute') as late,
                   count(*) filter (where dead is not null) as dead,
                   coalesce(extract(epoch from now() - min(due) filter (where done is null and dead is null and due < now())), 0)::float8 as oldest_s
            from job group by kind order by kind) j),
        'nodes', (select coalesce(jsonb_agg(n), '[]') from (
            select name, connected, extract(epoch from now() - heard)::float8 as silent_s,
                   health->>'certificate_ends' as certificate_ends from node order by name) n),
        'solutions', (select coalesce(jsonb_agg(s), '[]') from (
            select kind, coalesce(seen_state, 'unseen') as state, count(*) as count from solution where deleted is null group by 1, 2 order by 1, 2) s),
        'measures_not_in_force', (select count(*) from measure_node n join measure m on m.id = n.measure
            where n.state in ('ordered', 'kept') and m.lifted is null and m.starts <= now() and (m.ends is null or m.ends > now())),
        'measures_standing', (select count(*) from measure m
            where m.lifted is null and m.starts <= now() and (m.ends is null or m.ends > now())),
        -- A backup and a proof may well take longer, and have a check of their own.
        'evidence_open', (select count(*) from evidence where ended is null and begun < now() - interval '5 minutes'
                             and act not in ('order.back-up', 'order.prove')),
        'checkpoint_s', (select extract(epoch from now() - max(at))::float8 from evidence_checkpoint),
        'backups', (select jsonb_build_object(
                'planned', count(*),
                'late', count(*) filter (where coalesce(p.newest, p.since) < now() - interval '26 hours'),
                'failed', count(*) filter (where p.failed is not null),
                'unproven', count(*) filter (where p.newest is not null and coalesce(p.proven, p.since) < now() - interval '48 hours'),
                'proofs_failed', count(*) filter (where p.proof_failed is not null),
                'oldest_unproven_s', max(extract(epoch from now() - coalesce(p.proven, p.since))) filter (where p.newest is not null))
            from backup_plan p join solution s on s.id = p.solution
            where p.enabled and s.deleted is null and s.aim <> 'gone' and not is_sealed(s)),
        'database_bytes', pg_database_size(current_database()),
        'database_version', current_setting('server_version'))
$$;
