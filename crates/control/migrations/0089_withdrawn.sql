-- What is sealed is proven no further, also by a node that holds neither the solution nor its measures: the order is withdrawn, and no key is
-- released for one.

create or replace function node_changes(p_node text, p_since bigint) returns table (say jsonb)
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
        -- A measure goes to the nodes that hold what it is about. Who proves another's backups hears of a seal by this.
        select 3, 0, o.id, jsonb_build_object('say', 'withdraw', 'order', o.id)
        from verb_order o join solution s on s.id = o.solution
        where o.node = p_node and o.state in ('queued', 'running') and o.verb = 'prove' and s.node <> p_node and is_sealed(s)
          and (o.touched >= p_since
               or exists (select from measure m where m.account = s.account and m.access = 'none' and m.touched >= p_since))
        union all
        select 4, 0, s.id, jsonb_build_object('say', 'wish', 'wish', wish_json(s))
        from solution s where s.node = p_node and s.deleted is null and s.touched >= p_since
        union all
        select 5, 0, q.id, jsonb_build_object('say', 'ask', 'question', q.id, 'solution', q.solution, 'about', q.about)
        from question q where q.node = p_node and q.answer is null and q.touched >= p_since and q.asked > now() - interval '30 seconds'
    ) x order by x.rank, x.touched, x.id
$$;

-- Whether a node may have what opens the backups of a solution: by an open order of its own that writes, reads, restores or proves one (the
-- last also where the solution is another node's), or by the wish for a solution of its own that is made from one. What is sealed is opened for no
-- order and for no copy; that it is brought back where its node was lost is neither. The line of evidence comes before the key; none when it may not.
create or replace function node_unlock(p_node text, p_order uuid, p_solution uuid, p_recipient text) returns jsonb
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
        if not found or is_sealed(s) then return null; end if;
        repository := verb->'repository';
    else
        if s.node <> p_node or s.aim = 'gone' then return null; end if;
        repository := wish_json(s)->'from_backup'->'repository';
    end if;
    -- A repository's folder is the number of the solution that it belongs to: of another one when a solution is made from its backup.
    select * into owner from solution where number = (repository->>'folder')::integer and account = s.account;
    if not found or (owner.id <> s.id and is_sealed(owner)) then return null; end if;
    insert into evidence (who, act, account, solution, before, visible_from)
        values ('node:' || p_node, 'backup.key-released', s.account, s.id,
                jsonb_build_object('number', owner.number, 'for', coalesce(verb->>'verb', 'from-backup'), 'order', p_order,
                                   'target', repository->'target', 'recipient', left(p_recipient, 100)), now())
        returning id into line;
    return jsonb_build_object('evidence', line, 'solution', owner.id, 'number', owner.number, 'target', repository->'target',
                              'make', coalesce(verb->>'verb' = 'back-up', false));
end $$;
