-- Disk images are solutions as others are; what is new is that a server is made from one, and is told with its name.
alter function solution_reach(uuid) rename to solution_addresses_json;
create function solution_reach(p_solution uuid) returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select solution_addresses_json(p_solution) || coalesce(
        (select jsonb_build_object('image', i.name)
           from solution s join solution i on i.account = s.account and i.kind = 'disk-image' and 'own-' || i.number = s.spec->>'image'
          where s.id = p_solution and (bound_account() is null or s.account = bound_account())), '{}')
$$;
grant execute on function solution_reach(uuid) to husorden_tenant, husorden_staff;
