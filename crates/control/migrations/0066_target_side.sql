-- What a target's own side tells: which backups went there, by expiry, by a signed purge or by nobody it knows. And what it hears: which one
-- must stay, whether nothing may be touched, and what opens a repository while it is tidied. Control's word never makes a backup go.

-- When its own side was last heard.
alter table target add column heard timestamptz;

create function target_round(p_target uuid, p_number integer, p_said jsonb) returns jsonb
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    t target;
    s solution;
    went uuid[];
    lost uuid[];
    one jsonb;
    changed boolean := false;
begin
    update target set heard = now() where id = p_target returning * into t;
    select * into s from solution where number = p_number;
    if t.id is null or s.id is null then return null; end if;

    -- What expired is one line; a purge before its time is a line of its own for each order, with who signed it and why.
    for one in
        select jsonb_build_object('purge', g->'purge', 'copies', jsonb_agg(g->'copy'), 'at', max(g->>'at'))
        from jsonb_array_elements(p_said->'gone') g group by g->'purge'
    loop
        with gone as (
            update backup set state = 'gone' where solution = s.id and target = t.id and state = 'ready' and one->'copies' ? copy returning id)
        select array_agg(id) into went from gone;
        if went is not null then
            changed := true;
            insert into evidence (ended, who, act, account, solution, before, after)
                values (now(), 'target:' || t.name, case when jsonb_typeof(one->'purge') = 'object' then 'backup.purged' else 'backup.expired' end,
                        s.account, s.id,
                        jsonb_strip_nulls(jsonb_build_object('name', s.name, 'target', t.name, 'backups', to_jsonb(went), 'purge', one->'purge')),
                        jsonb_build_object('at', one->'at'));
        end if;
    end loop;

    with gone as (
        update backup set state = 'gone' where solution = s.id and target = t.id and state = 'ready' and p_said->'missing' ? copy returning id)
    select array_agg(id) into lost from gone;
    if lost is not null then
        insert into evidence (ended, who, act, account, solution, before, after)
            values (now(), 'target:' || t.name, 'backup.missing', s.account, s.id,
                    jsonb_build_object('name', s.name, 'target', t.name, 'backups', to_jsonb(lost)), '{}');
        insert into event (account, solution, kind, by, data)
            values (s.account, s.id, 'backup.missing', 'platform',
                    jsonb_build_object('name', s.name, 'target', t.name, 'count', cardinality(lost)));
    end if;

    for one in select jsonb_array_elements(p_said->'waiting') loop
        if not exists (select from evidence e where e.act = 'backup.purge-waits' and e.solution = s.id and e.before->'purge'->'order' = one->'order') then
            insert into evidence (ended, who, act, account, solution, before, after)
                values (now(), 'target:' || t.name, 'backup.purge-waits', s.account, s.id,
                        jsonb_build_object('name', s.name, 'target', t.name, 'purge', one), '{}');
        end if;
    end loop;

    if changed or lost is not null then
        -- What is not there any more is neither the newest nor waited for.
        update backup_plan p set newest = (select max(b.taken) from backup b where b.solution = s.id and b.state = 'ready'),
               unproven = (select b.id from backup b where b.id = p.unproven and b.state = 'ready')
         where p.solution = s.id;
    end if;
    return jsonb_build_object('solution', s.id, 'number', s.number, 'sealed', is_sealed(s),
        'proven', (select b.copy from proof f join backup b on b.id = f.backup
                    where f.solution = s.id and b.target = t.id and b.state = 'ready' and f.state = 'passed' order by f.ended desc, f.id desc limit 1));
end $$;

-- Whether the target's own side may have what opens a repository, to tidy it. The line of evidence comes before the key.
create function target_unlock(p_target uuid, p_number integer, p_recipient text) returns jsonb
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    t target;
    s solution;
    line bigint;
begin
    select * into t from target where id = p_target;
    select * into s from solution where number = p_number and deleted is null;
    if t.id is null or s.id is null or is_sealed(s)
       or not exists (select from backup where solution = s.id and target = t.id and state in ('ready', 'gone')) then
        return null;
    end if;
    insert into evidence (who, act, account, solution, before, visible_from)
        values ('target:' || t.name, 'backup.key-released', s.account, s.id,
                jsonb_build_object('number', s.number, 'for', 'expiry', 'target', t.id, 'recipient', left(p_recipient, 100)), now())
        returning id into line;
    return jsonb_build_object('evidence', line, 'solution', s.id, 'number', s.number, 'target', t.id, 'make', false);
end $$;

grant execute on function target_round(uuid, integer, jsonb), target_unlock(uuid, integer, text) to husorden_system;
