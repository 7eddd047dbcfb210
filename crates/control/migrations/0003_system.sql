-- The system door: log-in, idempotency, jobs and sweeps. The role may execute these functions and touch no table.

create function epoch_now() returns bigint language sql stable security definer set search_path = public, pg_temp as $$
    select epoch from platform
$$;

-- Who a token stands for, with the narrowest measure on the account that closes more than services.
create function token_find(p_digest bytea) returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object(
        'id', t.id, 'role', t.role, 'read_only', t.read_only,
        'account', (select to_jsonb(a) from account a where a.id = t.account),
        'held', (select to_jsonb(m) from measure m
                  where m.account = t.account and m.solution is null and m.access <> 'full'
                    and m.lifted is null and m.starts <= now() and (m.ends is null or m.ends > now())
                  order by array_position(array['none', 'decision', 'data-out'], m.access), m.starts limit 1))
    from token t
    where t.digest = p_digest and t.revoked is null and (t.expires is null or t.expires > now())
$$;

create function idempotency_find(p_token uuid, p_key text) returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object('digest', encode(digest, 'hex'), 'status', status, 'etag', etag, 'body', body)
    from idempotency where token = p_token and key = p_key
$$;

-- A node that solutions may be put on before it has said hello.
create function node_expect(p_node text) returns void
language sql security definer set search_path = public, pg_temp as $$
    insert into node (name) values (p_node) on conflict do nothing
$$;

create function job_claim(p_worker uuid, p_lease_s integer, p_limit integer) returns setof jsonb
language sql security definer set search_path = public, pg_temp as $$
    update job set leased_by = p_worker, lease_until = now() + make_interval(secs => p_lease_s), attempts = attempts + 1
    where id in (select id from job
                 where done is null and due <= now() and (lease_until is null or lease_until < now())
                 order by due, id limit p_limit for update skip locked)
    returning jsonb_build_object('id', id, 'kind', kind, 'subject', subject, 'attempts', attempts)
$$;

-- False: the lease was lost to another worker, whose outcome counts.
create function job_done(p_id bigint, p_worker uuid) returns boolean
language sql security definer set search_path = public, pg_temp as $$
    with u as (update job set leased_by = null, lease_until = null, last_error = null, attempts = 0,
                   due = case when every_s is null then due else now() + make_interval(secs => every_s) end,
                   done = case when every_s is null then now() end
               where id = p_id and leased_by = p_worker returning 1)
    select exists (select from u)
$$;

create function job_failed(p_id bigint, p_worker uuid, p_error text, p_retry_s integer) returns boolean
language sql security definer set search_path = public, pg_temp as $$
    with u as (update job set leased_by = null, lease_until = null, last_error = left(p_error, 2000),
                   due = now() + make_interval(secs => p_retry_s)
               where id = p_id and leased_by = p_worker returning 1)
    select exists (select from u)
$$;

create function sweep_idempotency(p_keep_s integer) returns bigint
language sql security definer set search_path = public, pg_temp as $$
    with d as (delete from idempotency where created < now() - make_interval(secs => p_keep_s) returning 1) select count(*) from d
$$;

create function sweep_jobs() returns bigint
language sql security definer set search_path = public, pg_temp as $$
    with d as (delete from job where done < now() - interval '7 days' returning 1) select count(*) from d
$$;

-- A deletion is final when it was asked for, its retention is over, and the node has said, on a look that did not fail, that
-- nothing is left. The row stays as a tombstone: its number is never given again. Only here are names given free.
create function bury(p_solution uuid) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
declare s solution;
begin
    select * into s from solution
     where id = p_solution and aim = 'gone' and deleted is null and hold_for is null and retain_until <= now()
       and seen_state = 'settled' and seen_generation = generation
       and (seen->>'epoch')::bigint = epoch and coalesce((seen->>'looked')::boolean, true)
       and seen->'usage' is not distinct from 'null'::jsonb and coalesce(seen->'snapshots', '[]') = '[]'
       -- What is sealed does not expire.
       and not exists (select from measure m where m.account = solution.account and (m.solution is null or m.solution = solution.id)
                        and m.access = 'none' and m.lifted is null and (m.ends is null or m.ends > now()))
     for update;
    if not found then return false; end if;
    update solution set deleted = now(), credentials = '{}', changed = now() where id = s.id;
    delete from claim where solution = s.id;
    update snapshot set state = 'failed' where solution = s.id and state <> 'failed';
    update verb_order set state = 'failed', ended = now() where solution = s.id and state in ('queued', 'running');
    update evidence set ended = now(), after = '{"is": "buried"}' where solution = s.id and ended is null and await_generation <= s.generation;
    insert into evidence (ended, who, act, account, solution, before, after)
        values (now(), 'platform', 'solution.buried', s.account, s.id, jsonb_build_object('number', s.number, 'name', s.name), '{}');
    insert into event (account, solution, kind, by, data)
        values (s.account, s.id, 'solution.buried', 'platform', jsonb_build_object('name', s.name));
    return true;
end $$;

-- Deletions that may have become final; each is buried in a transaction of its own.
create function sweep_retention() returns setof uuid
language sql stable security definer set search_path = public, pg_temp as $$
    select id from solution where aim = 'gone' and deleted is null and retain_until <= now() order by retain_until limit 1000
$$;

-- A measure whose end has come is lifted by the platform; the node has opened by its own clock already.
create function measure_end(p_measure uuid) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
declare m measure;
begin
    select * into m from measure where id = p_measure for update;
    if not found or m.lifted is not null or m.ends is null or m.ends > now() then return false; end if;
    update measure set lifted = ends, lift_reasons = 'ended by itself', revision = nextval('measure_revision') where id = m.id;
    insert into evidence (who, act, account, solution, before, await_measure, visible_from)
        values ('platform', 'measure.lift', m.account, m.solution,
                jsonb_build_object('measure', m.id, 'case', m.case_number, 'why', 'its end has come'), m.id,
                greatest(now(), coalesce(m.silent_until, now())));
    insert into event (account, solution, kind, by, data, visible_from)
        values (m.account, m.solution, 'measure.ended', 'platform', jsonb_build_object('case', m.case_number),
                greatest(now(), coalesce(m.silent_until, now())));
    return true;
end $$;

-- Spool files that an open order still needs.
create function spool_needed() returns setof text
language sql stable security definer set search_path = public, pg_temp as $$
    select spool from verb_order where spool is not null and state in ('queued', 'running')
$$;

grant execute on function epoch_now() to husorden_tenant, husorden_staff, husorden_system;
grant execute on function token_find(bytea), idempotency_find(uuid, text), node_expect(text), job_claim(uuid, integer, integer),
    job_done(bigint, uuid), job_failed(bigint, uuid, text, integer), sweep_idempotency(integer), sweep_jobs(), sweep_retention(), bury(uuid),
    measure_end(uuid), spool_needed() to husorden_system;
