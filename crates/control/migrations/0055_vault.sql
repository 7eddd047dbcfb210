-- What opens backups: to which node it may be released, and that it is destroyed with the solution.

-- Whether a node may have what opens the backups of a solution: by an open order of its own that writes, reads, restores or proves one (the
-- last also where the solution is another node's), or by the wish for a solution of its own that is made from one. The line of evidence comes before the key; none when it may not.
create function node_unlock(p_node text, p_order uuid, p_solution uuid, p_recipient text) returns jsonb
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    s solution;
    verb jsonb;
    repository jsonb;
    owner solution;
    line bigint;
begin
    select * into s from solution where id = p_solution and deleted is null;
    if not found then return null; end if;
    if p_order is not null then
        select body into verb from verb_order
         where id = p_order and node = p_node and solution = p_solution and state in ('queued', 'running')
           and body->>'verb' in ('back-up', 'backup-restore', 'backup-read', 'prove');
        if not found then return null; end if;
        repository := verb->'repository';
    else
        if s.node <> p_node or s.aim = 'gone' then return null; end if;
        repository := wish_json(s)->'from_backup'->'repository';
    end if;
    -- A repository's folder is the number of the solution that it belongs to: of another one when a solution is made from its backup.
    select * into owner from solution where number = (repository->>'folder')::integer and account = s.account;
    if not found then return null; end if;
    insert into evidence (who, act, account, solution, before, visible_from)
        values ('node:' || p_node, 'backup.key-released', s.account, s.id,
                jsonb_build_object('number', owner.number, 'for', coalesce(verb->>'verb', 'from-backup'), 'order', p_order,
                                   'target', repository->'target', 'recipient', left(p_recipient, 100)), now())
        returning id into line;
    return jsonb_build_object('evidence', line, 'solution', owner.id, 'number', owner.number, 'target', repository->'target',
                              'make', coalesce(verb->>'verb' = 'back-up', false));
end $$;

-- What came of it.
create function node_unlocked(p_line bigint, p_refused jsonb) returns void
language sql security definer set search_path = public, pg_temp as $$
    update evidence set ended = now(),
        after = case when p_refused is null then '{"is": "released"}' else jsonb_build_object('is', 'refused', 'why', p_refused->'en') end
     where id = p_line and ended is null and act = 'backup.key-released'
$$;

-- A solution that is gone for good takes its key along.
create function destroy_key() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into job (kind, subject) values ('destroy-key', jsonb_build_object('solution', new.id, 'number', new.number));
    return null;
end $$;
create trigger destroy_key after update of deleted on solution for each row
    when (old.deleted is null and new.deleted is not null) execute function destroy_key();

-- The receipt, for the account: evidence, and news where there were backups. A job may be done twice; this is written once.
create function key_destroyed(p_receipt jsonb) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare s solution;
begin
    select * into s from solution where id = (p_receipt->>'solution')::uuid for update;
    if not found or exists (select from evidence e where e.solution = s.id and e.act = 'backup.key-destroyed') then return; end if;
    insert into evidence (ended, who, act, account, solution, before, after)
        values (now(), 'platform', 'backup.key-destroyed', s.account, s.id,
                jsonb_build_object('number', s.number, 'name', s.name, 'made', p_receipt->'made'),
                jsonb_build_object('destroyed', p_receipt->'destroyed', 'gone_by', p_receipt->'gone_by'));
    if p_receipt->>'made' is not null then
        insert into event (account, solution, kind, by, data)
            values (s.account, s.id, 'solution.key-destroyed', 'platform',
                    jsonb_build_object('name', s.name, 'destroyed', p_receipt->'destroyed', 'gone_by', p_receipt->'gone_by'));
    end if;
end $$;

-- What an account is mailed of; that a key was destroyed belongs to the deletion.
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
        when p_kind in ('solution.deleted', 'solution.undone', 'solution.buried', 'solution.key-destroyed') then 'deletion'
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

grant execute on function node_unlock(text, uuid, uuid, text), node_unlocked(bigint, jsonb), key_destroyed(jsonb) to husorden_system;
