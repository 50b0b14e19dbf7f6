(function () {
  var search = document.querySelector('.search');
  if (search) {
    var rows = Array.prototype.slice.call(document.querySelectorAll('#accounts tbody tr'));
    var found = search.querySelector('output');
    var show = function () {
      var wanted = search.querySelector('input').value.toLowerCase();
      var shown = 0;
      rows.forEach(function (row) {
        row.hidden = row.cells[0].textContent.toLowerCase().indexOf(wanted) < 0;
        shown += row.hidden ? 0 : 1;
      });
      found.textContent = wanted ? shown + ' of ' + rows.length + ' shown' : '';
    };
    search.hidden = false;
    search.addEventListener('input', show);
  }
  var open = function () {
    var target = location.hash && document.getElementById(location.hash.slice(1));
    if (target && target.tagName === 'DETAILS') { target.open = true; }
  };
  addEventListener('hashchange', open);
  addEventListener('beforeprint', function () {
    document.querySelectorAll('details').forEach(function (all) { all.open = true; });
  });
  open();
})();
