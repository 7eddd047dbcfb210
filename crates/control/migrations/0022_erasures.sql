-- Erasing on a person's request: what names a person who left goes from the lines of an account, or from everywhere. The leaves
-- stay; what is erased, and that it was, is evidence.

create table erasure (
    id      uuid primary key,
    person  uuid not null,
    -- None: everywhere, and the person's own row with it.
    account uuid references account,
    by      text not null,
    asked   timestamptz not null default now(),
    done    timestamptz,
    fields  bigint not null default 0
);
create unique index erasure_open on erasure (person, account) nulls not distinct where done is null;
create index erasure_by_person on erasure (person, asked);
alter table erasure enable row level security;
alter table erasure force row level security;
create policy owner_all on erasure to husorden_owner using (true) with check (true);

-- The fields of leaves, by path: the values and their salts go, and who erased them is said.
create function evidence_erase_fields(p_leaves bigint[], p_paths text[], p_by text) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    said text := p_by || ', ' || to_char(now() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"');
    one record;
    parts text[];
begin
    for one in select l.line, n.leaf, n.path from unnest(p_leaves, p_paths) n (leaf, path) join evidence_leaf l on l.index = n.leaf loop
        parts := string_to_array(one.path, '.');
        update evidence_salt set salts = salts - one.path where index = one.leaf;
        update evidence set erased = erased || jsonb_build_object(one.path, said),
            who = case when one.path = 'who' then 'erased' else who end,
            before = case when parts[1] = 'before' then case when cardinality(parts) = 1 then '{}' else before - array_to_string(parts[2:], '.') end else before end,
            after = case when parts[1] = 'after' then case when cardinality(parts) = 1 then '{}' else after - array_to_string(parts[2:], '.') end else after end
            where id = one.line;
    end loop;
end $$;

create or replace function evidence_erase(p_class text, p_through bigint, p_leaves bigint[], p_paths text[]) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform evidence_erase_fields(p_leaves, p_paths, 'platform');
    insert into evidence_erasure (class, through) values (p_class, p_through)
        on conflict (class) do update set through = greatest(evidence_erasure.through, excluded.through);
    if cardinality(p_leaves) > 0 then
        insert into evidence (ended, who, act, before, after)
            values (now(), 'platform', 'evidence.erased',
                    jsonb_build_object('class', p_class, 'through', p_through, 'count', cardinality(p_leaves)), '{}');
    end if;
end $$;

-- The same for the lines that are named, which the rows that say so name too.
create function evidence_erase_lines(p_class text, p_through bigint, p_leaves bigint[], p_paths text[], p_lines text[]) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform evidence_erase_fields(p_leaves, p_paths, 'request');
    insert into evidence (ended, who, act, before, after)
        select now(), 'platform', 'evidence.erased',
               jsonb_build_object('class', p_class, 'through', p_through, 'lines_erased', l), '{}' from unnest(p_lines) l;
end $$;

-- A standing measure that seals what an account has; what an order keeps silent counts only where nobody is told of it.
create function sealed_by(p_accounts uuid[], p_told boolean) returns text
language sql stable security definer set search_path = public, pg_temp as $$
    select m.case_number from measure m
    where m.account = any (p_accounts) and m.access = 'none' and m.lifted is null and m.starts <= now() and (m.ends is null or m.ends > now())
      and (not p_told or m.silent_until is null or m.silent_until <= now())
    order by m.starts limit 1
$$;

-- The accounts whose lines name a person: the one, or all.
create function accounts_naming(p_person uuid, p_account uuid) returns uuid[]
language sql stable security definer set search_path = public, pg_temp as $$
    select coalesce(array_agg(distinct e.account) filter (where e.account is not null), '{}') from evidence e
    where (p_account is null or e.account = p_account)
      and (e.who in ('account:person:' || p_person, 'staff:person:' || p_person) or e.before->>'person' = p_person::text)
$$;

-- Who left and may be erased: the members of an account who were sent away, or with none the persons who are members nowhere.
create function people_left(p_account uuid) returns setof jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    with gone as (
        select (e.before->>'person')::uuid as person, max(e.begun) as at from evidence e
            where p_account is not null and e.account = p_account and e.act = 'member.remove' group by 1
        union all
        select p.id, null from person p where p_account is null
            and not exists (select from member m where m.person = p.id) and not exists (select from staff s where s.person = p.id)
        union all
        select distinct x.person, null::timestamptz from erasure x where p_account is null and x.account is null and x.done is not null)
    select jsonb_build_object('person', g.person, 'left', g.at, 'asked', x.asked, 'done', x.done, 'fields', coalesce(x.fields, 0),
                              'name', case when x.done is null then p.name end, 'email', case when x.done is null then p.email end)
    from gone g left join person p on p.id = g.person
    left join lateral (select * from erasure x where x.person = g.person and x.account is not distinct from p_account
                        order by x.asked desc limit 1) x on true
    where (bound_account() is null or bound_account() = p_account)
      and not exists (select from member m where m.account = p_account and m.person = g.person)
    order by g.at desc nulls last, g.person limit 500
$$;

-- Asks for an erasure. Says what became of it: `asked`, `not-left`, or `sealed` with the case.
create function erasure_ask(p_id uuid, p_account uuid, p_person uuid, p_by text) returns jsonb
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    naming uuid[];
    sealing text;
    e erasure;
begin
    if bound_account() is not null and bound_account() is distinct from p_account then
        return '{"said": "not-left"}';
    end if;
    naming := accounts_naming(p_person, p_account);
    if p_account is not null and (naming = '{}' or exists (select from member m where m.account = p_account and m.person = p_person)) then
        return '{"said": "not-left"}';
    end if;
    if p_account is null and (not exists (select from person where id = p_person) or exists (select from member where person = p_person)
                              or exists (select from staff where person = p_person)) then
        return '{"said": "not-left"}';
    end if;
    sealing := sealed_by(naming, true);
    if sealing is not null then
        return jsonb_build_object('said', 'sealed', 'case', sealing);
    end if;
    insert into erasure (id, person, account, by) values (p_id, p_person, p_account, p_by)
        on conflict (person, account) where done is null do nothing;
    if found then
        insert into job (kind, subject) values ('erase-person', jsonb_build_object('erasure', p_id));
    end if;
    select * into e from erasure x where x.person = p_person and x.account is not distinct from p_account and x.done is null;
    return jsonb_build_object('said', 'asked', 'erasure', to_jsonb(e));
end $$;

-- What is to be erased, and whether an order of whatever kind stands before it.
create function erasure_look(p_id uuid) returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object('person', e.person, 'account', e.account, 'email', p.email, 'name', p.name,
                              'held', sealed_by(accounts_naming(e.person, e.account), false) is not null)
    from erasure e left join person p on p.id = e.person where e.id = p_id and e.done is null
$$;

-- Leaves of the lines by a person or about one.
create function erasure_leaves(p_person uuid, p_account uuid) returns setof bigint
language sql stable security definer set search_path = public, pg_temp as $$
    select l.index from evidence e join evidence_leaf l on l.line = e.id
    where (p_account is null or e.account = p_account)
      and (e.who in ('account:person:' || p_person, 'staff:person:' || p_person)
           or e.before->>'person' = p_person::text or e.after->>'person' = p_person::text)
    order by l.index
$$;

create function evidence_opened_at(p_leaves bigint[]) returns setof jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object('index', l.index, 'line', l.line, 'body', l.body, 'salts', coalesce(s.salts, '{}'), 'noted', l.noted,
                              'who', e.who, 'before', e.before, 'after', e.after, 'erased', e.erased)
      from evidence_leaf l join evidence e on e.id = l.line left join evidence_salt s on s.index = l.index
     where l.index = any (p_leaves) order by l.index
$$;

-- The lines are done: the name goes where it stands in events and on tokens too, and from everywhere the person's own rows.
create function erasure_done(p_id uuid) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    e erasure;
    p person;
begin
    update erasure set done = now() where id = p_id and done is null returning * into e;
    if not found then return; end if;
    select * into p from person where id = e.person;
    update event set data = jsonb_set(data, '{name}', '"–"')
        where data->>'name' in (p.name, p.email) and (e.account is null or account = e.account);
    update token set label = '–' where label in (p.name, p.email) and (e.account is null or account = e.account);
    insert into evidence (ended, who, act, account, before, after)
        values (now(), 'platform', 'person.erased', e.account,
                jsonb_build_object('person', e.person, 'erasure', e.id, 'count', e.fields), '{}');
    if e.account is null and p.id is not null then
        delete from rescue where person = p.id;
        delete from password_reset where person = p.id;
        delete from recovery_code where person = p.id;
        delete from session where person = p.id;
        delete from device where person = p.id;
        delete from invitation where email = p.email;
        delete from job where kind = 'mail' and subject->>'to' = p.email;
        delete from person where id = p.id;
    end if;
end $$;

create function erasure_counted(p_id uuid, p_fields bigint) returns void
language sql security definer set search_path = public, pg_temp as $$
    update erasure set fields = fields + p_fields where id = p_id and done is null
$$;

grant execute on function people_left(uuid), erasure_ask(uuid, uuid, uuid, text) to husorden_tenant, husorden_staff;
grant execute on function evidence_erase_lines(text, bigint, bigint[], text[], text[]), erasure_look(uuid), erasure_leaves(uuid, uuid),
    evidence_opened_at(bigint[]), erasure_done(uuid), erasure_counted(uuid, bigint) to husorden_system;
