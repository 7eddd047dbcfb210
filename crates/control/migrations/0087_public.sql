-- Public addresses of solutions, the names that lead back from them, and the rule sets that say what is let in there.

-- Every address that was ever given: it is one solution's at a time, and rests for a while before it is the next one's.
create table address (
    -- One address of IPv4, or a /64 of IPv6.
    net      cidr primary key check (masklen(net) = case family(net) when 4 then 32 else 64 end),
    node     text not null references node,
    solution uuid references solution,
    account  uuid references account,
    given    timestamptz not null default now(),
    freed    timestamptz,
    constraint address_held_fits check ((solution is null) = (account is null) and (solution is null) = (freed is not null))
);
create unique index address_one_of_each on address (solution, family(net)) where solution is not null;
create index address_by_node on address (node);

create table reverse_name (
    address  inet primary key,
    solution uuid not null references solution,
    account  uuid not null references account,
    name     text not null check (length(name) between 1 and 253),
    changed  timestamptz not null default now()
);
create index reverse_name_by_solution on reverse_name (solution);

create table firewall (
    id         uuid primary key,
    account    uuid not null references account,
    name       text not null check (length(name) between 1 and 63),
    rules      jsonb not null default '[]',
    -- It holds for solutions that have all of these labels; none: for nobody by them.
    labels     jsonb not null default '{}',
    -- And for these.
    solutions  uuid[] not null default '{}',
    generation bigint not null default 1,
    created    timestamptz not null default now(),
    changed    timestamptz not null default now(),
    constraint firewall_name_taken unique (account, name)
);

do $$
declare t text;
begin
    foreach t in array array['address', 'reverse_name', 'firewall'] loop
        execute format('alter table %I enable row level security', t);
        execute format('alter table %I force row level security', t);
        execute format('create policy owner_all on %I to husorden_owner using (true) with check (true)', t);
        execute format('create policy tenant_own on %I to husorden_tenant using (account = bound_account()) with check (account = bound_account())', t);
        execute format('create policy staff_see on %I for select to husorden_staff using (true)', t);
    end loop;
    foreach t in array array['address', 'reverse_name'] loop
        execute format('create policy tenant_scope on %1$I as restrictive to husorden_tenant
            using ((select scope_open()) or exists (select from solution s where s.id = %1$I.solution))
            with check ((select scope_open()) or exists (select from solution s where s.id = %1$I.solution))', t);
    end loop;
end $$;
-- A set may hold for any solution of the account, so that whoever is narrowed to some has no say in it.
create policy tenant_scope on firewall as restrictive to husorden_tenant using ((select scope_open())) with check ((select scope_open()));
grant select on address to husorden_tenant;
grant select, insert, update, delete on reverse_name, firewall to husorden_tenant;
grant select on address, reverse_name, firewall to husorden_staff;

-- What there is to choose from on a node: its pools, what is somebody's or rests (`taken`), and what was somebody's once, the longest ago
-- first (`used`). Nobody else chooses until the transaction ends.
create function address_book(p_node text, p_family integer, p_rest_days integer) returns jsonb
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform pg_advisory_xact_lock(4817, hashtext(p_node));
    return (select jsonb_build_object(
        'pools', (select n.health->'pools' from node n where n.name = p_node),
        'taken', coalesce(jsonb_agg(a.net::text) filter (where not rested), '[]'),
        'used', coalesce(jsonb_agg(a.net::text order by a.freed) filter (where rested), '[]'))
        from (select x.net, x.freed, coalesce(x.freed + make_interval(days => p_rest_days) <= now(), false) as rested
                from address x where family(x.net) = p_family) a);
end $$;

-- Gives an address to a solution of the bound account; false when it is another's, or still rests.
create function address_give(p_solution uuid, p_net cidr, p_rest_days integer) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
declare s solution;
begin
    select * into s from solution where id = p_solution and account = bound_account() and deleted is null;
    if not found then raise exception 'no solution of the bound account'; end if;
    insert into address as a (net, node, solution, account) values (p_net, s.node, s.id, s.account)
        on conflict (net) do update set node = s.node, solution = s.id, account = s.account, given = now(), freed = null
        where a.solution is null and a.freed + make_interval(days => p_rest_days) <= now();
    return found;
end $$;

-- An address is given up when the solution is buried, or when its spec no longer asks for one and no order stands between the two.
create function free_addresses() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update address a set solution = null, account = null, freed = now()
     where a.solution = new.id
       and (new.deleted is not null
            or not coalesce((new.spec->>case family(a.net) when 4 then 'public_ipv4' else 'public_ipv6' end)::boolean, false));
    if found then
        delete from reverse_name r where r.solution = new.id
            and not exists (select from address a where a.solution = new.id and r.address <<= a.net);
    end if;
    return null;
end $$;
create trigger free_addresses after update of spec, hold_for, deleted on solution for each row
    when (new.hold_for is null or new.deleted is not null) execute function free_addresses();

create function public_json(p_solution uuid) returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_strip_nulls(jsonb_build_object(
        'ipv4', (select host(a.net) from address a where a.solution = p_solution and family(a.net) = 4),
        'ipv6', (select a.net::text from address a where a.solution = p_solution and family(a.net) = 6)))
$$;

-- The rules that hold for a solution, whichever sets they are of.
create function firewall_rules(p_account uuid, p_solution uuid, p_labels jsonb) returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select coalesce(jsonb_agg(r.value - 'note' order by f.id, r.ordinality), '[]')
    from firewall f, jsonb_array_elements(f.rules) with ordinality r
    where f.account = p_account and (bound_account() is null or f.account = bound_account())
      and (p_solution = any (f.solutions) or (f.labels <> '{}' and p_labels @> f.labels))
$$;

-- What a solution is told of beside its own row: shown with it, to whom it is shown.
create function solution_reach(p_solution uuid) returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select case when s.spec ? 'public_ipv4' then jsonb_build_object(
        'public', public_json(s.id),
        'rules', firewall_rules(s.account, s.id, s.labels),
        'names', coalesce((select jsonb_agg(jsonb_build_object('address', host(r.address), 'name', r.name) order by r.address)
                             from reverse_name r where r.solution = s.id), '[]')) else '{}' end
    from solution s where s.id = p_solution and (bound_account() is null or s.account = bound_account())
$$;

-- A wish is what stands in its own row, and beside it what stands in others'.
alter function wish_json(solution) rename to wish_row_json;
create function wish_json(s solution) returns jsonb language sql stable as $$
    select wish_row_json(s) || case when s.spec ? 'public_ipv4'
        then jsonb_build_object('public', public_json(s.id), 'rules', firewall_rules(s.account, s.id, s.labels)) else '{}' end
$$;

-- The solutions that a set holds for: those that can have public addresses.
create function firewall_holders(p_firewall uuid) returns setof jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object('id', s.id, 'name', s.name, 'public', public_json(s.id), 'rules', firewall_rules(s.account, s.id, s.labels))
    from firewall f join solution s on s.account = f.account
    where f.id = p_firewall and (bound_account() is null or f.account = bound_account())
      and s.deleted is null and s.spec ? 'public_ipv4'
      and (s.id = any (f.solutions) or (f.labels <> '{}' and s.labels @> f.labels))
    order by s.name, s.id
$$;

-- Has the nodes of solutions of the bound account told of them again: what holds for them has changed, and nothing in their rows.
create function wish_again(p_solutions uuid[]) returns void
language sql security definer set search_path = public, pg_temp as $$
    update solution set
        generation = generation + case when hold_for is null then 1 else 2 end,
        held = case when hold_for is not null then held || jsonb_build_object('generation', generation + 1) end
    where id = any (p_solutions) and account = bound_account() and deleted is null
$$;

-- Every name that leads back from an address, for the operator's name servers.
create function reverse_names() returns setof jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object('address', host(r.address), 'name', r.name) from reverse_name r order by r.address
$$;

grant execute on function address_book(text, integer, integer), address_give(uuid, cidr, integer), wish_again(uuid[]) to husorden_tenant;
grant execute on function firewall_rules(uuid, uuid, jsonb), solution_reach(uuid), firewall_holders(uuid), public_json(uuid)
    to husorden_tenant, husorden_staff;
grant execute on function free_addresses() to husorden_tenant, husorden_staff;
grant execute on function reverse_names() to husorden_staff;
