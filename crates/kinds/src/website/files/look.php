<?php
// Says how many files each folder at the top of the site holds, and what a site of files alone has as its front page. Links are not followed.
const FOLDERS_MAX = 500;
function files(string $folder): int
{
    $count = 0;
    $waiting = [$folder];
    while ($waiting !== []) {
        $at = array_pop($waiting);
        $open = opendir($at);
        if ($open === false) {
            fwrite(STDERR, "a folder cannot be opened\n");
            exit(1);
        }
        while (($name = readdir($open)) !== false) {
            if ($name === '.' || $name === '..') {
                continue;
            }
            $path = "$at/$name";
            if (is_link($path) || !is_dir($path)) {
                $count++;
            } else {
                $waiting[] = $path;
            }
        }
        closedir($open);
    }
    return $count;
}
function named(string $name): string
{
    return substr(preg_replace('/[\x00-\x1f\x7f]/', '?', $name), 0, 200);
}
$own = 0;
$told = 0;
foreach (scandir('/srv/www') as $name) {
    $path = "/srv/www/$name";
    if ($name === '.' || $name === '..') {
        continue;
    }
    if (is_link($path) || !is_dir($path)) {
        $own++;
    } elseif ($told++ < FOLDERS_MAX) {
        echo "count\twww/", named($name), "\t", files($path), "\n";
    }
}
echo "count\twww\t$own\n";
if (getenv('PAGE') === 'file') {
    require '/run/conf/title.php';
    $page = getenv('ROOT') . '/index.html';
    $there = is_file($page);
    say_page($there ? 200 : 404, $there ? (string) file_get_contents($page, false, null, 0, 1 << 20) : '');
}
echo "end\n";
